"""The error of mistakes that a user can make and mend, and that of runs that cannot go on."""


class UserError(ValueError):
    """A mistake in a recipe, a data file or a command.

    The message names the field (for data: the file and row), the value found and what is allowed.
    The command line prints it without a traceback and exits with status 2.
    """


class RunStopped(RuntimeError):
    """A run that has begun cannot go on; the message says why, and no traceback explains more."""


def require(condition: bool, message: str) -> None:
    """Raise ``UserError(message)`` unless ``condition`` holds."""
    if not condition:
        raise UserError(message)
