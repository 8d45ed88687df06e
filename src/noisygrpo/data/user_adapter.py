"""``data.adapter: my.py:function``: a user's function from a row to its example."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from noisygrpo.contained import UserCodeError, contained
from noisygrpo.data.convert import from_user
from noisygrpo.data.rows import Adapter, Fields, RowProblem
from noisygrpo.data.usual import IMAGE
from noisygrpo.errors import UserError
from noisygrpo.rewards.copies import own
from noisygrpo.user_code import load_user_function

ROW_LIMIT = 60.0
"""Seconds for one row."""


def user_adapter(name: str, options: Mapping[str, Any]) -> Adapter:
    """The adapter of ``path.py:function``; the path is relative to the working folder.

    The function gets the row as a mapping, and ``options`` as keywords. It returns a mapping of
    ``question`` (or ``prompt``, a list of turns) and ``answer``, and as it likes ``images``,
    ``reasoning``, ``id``, ``cluster``, ``kind``, ``pair``; whatever else it returns reaches
    reward functions under its name. A list gives several examples, None leaves the row out. Without
    ``images`` the row's own count.

    Raises ``UserError`` where there is no such function, or it does not take the options.
    """
    function = load_user_function(name, "data.adapter")
    try:
        inspect.signature(function).bind({}, **options)
    except TypeError as error:
        raise UserError(
            f"data.adapter: {name} does not take (row, **data.options): {error}"
        ) from error

    def convert(row: Mapping[str, Any]) -> list[Fields]:
        try:
            with contained(ROW_LIMIT, "a row's"):
                made = function(own(dict(row)), **options)
        except UserCodeError as error:
            raise RowProblem(f"{name} {error}") from error
        return from_user(name, made)

    return Adapter(convert, columns=(), image=IMAGE, image_required=False, image_in_row=True)
