"""What a function says of itself beyond its signature: ``function.changes_size = True``.

===================  ==========  ==================================================================
``changes_size``     noise       the picture that comes out may have another size
``across_groups``    advantage   a group's advantages depend on the other groups of the batch
===================  ==========  ==================================================================
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def declare(**facts: bool) -> Callable[[Function], Function]:
    """Return a decorator that sets these attributes of a function."""

    def mark(function: Function) -> Function:
        vars(function).update(facts)
        return function

    return mark


def declared(function: Callable[..., Any], fact: str) -> bool:
    """Tell whether a function, or the one that a ``functools.partial`` calls, says so."""
    while isinstance(function, functools.partial):
        function = function.func
    return bool(getattr(function, fact, False))
