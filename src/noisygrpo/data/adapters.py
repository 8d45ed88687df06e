"""Adapters for known data sets, by name: their columns, quirks and question kinds.

Each is a function of its knobs that returns an ``Adapter``. All take a hub id or a local copy.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from noisygrpo.data.rows import Adapter, Fields, as_text
from noisygrpo.errors import require


def nlvr(question: str = "Is the following statement about the image true or false? {}") -> Adapter:
    """Cornell NLVR (Suhr et al., ACL 2017): a statement about an image of three boxes.

    Columns ``identifier`` (``split-n-m-k``), ``statement``, ``label``, ``image``. Statement ``n``
    was written for four images ``m``, each in six orders ``k`` of its boxes; all of these rows
    share their statement, so ``n`` is the cluster. ``question`` wraps the statement at ``{}``.
    """
    require("{}" in question, f"data.options.question: {question!r} does not contain {{}}")

    def convert(row: Mapping[str, Any]) -> list[Fields]:
        identifier = as_text(row, "identifier")
        parts = identifier.split("-")
        return [
            {
                "question": question.replace("{}", as_text(row, "statement")),
                "answer": as_text(row, "label").lower(),
                "id": identifier,
                "cluster": "-".join(parts[:2]) if len(parts) == 4 else identifier,
                "kind": "true_false",
            }
        ]

    return Adapter(convert, ("identifier", "statement", "label"), image=("image",))


ADAPTERS: dict[str, Callable[..., Adapter]] = {
    "nlvr": nlvr,
}
"""Name -> function of the adapter's options."""


def make_adapter(name: str, options: Mapping[str, Any]) -> Adapter:
    """Build the adapter ``name``; raises ``UserError`` for an option that it does not have."""
    known = list(inspect.signature(ADAPTERS[name]).parameters)
    for option in options:
        require(option in known, f"data.options.{option}: adapter {name!r} has the options {known}")
    return ADAPTERS[name](**options)
