"""The one error type for mistakes that a user can make and mend."""


class UserError(ValueError):
    """A mistake in a recipe, a data file or a command.

    The message names the field (for data: the file and row), the value found and what is allowed.
    The command line prints it without a traceback and exits with status 2.
    """


def require(condition: bool, message: str) -> None:
    """Raise ``UserError(message)`` unless ``condition`` holds."""
    if not condition:
        raise UserError(message)
