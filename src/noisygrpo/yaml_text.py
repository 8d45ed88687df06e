"""Reading YAML that a user wrote or a folder held: plain data, in bounded time and memory.

A few lines of YAML can stand for terabytes (aliases of aliases), for a value that contains itself,
or for a nesting deeper than Python's stack. `read_yaml` counts before anything is built: what the
text stands for with every alias written out, how deep it goes, and whether an alias lies inside of
what it names. No tag makes an object: the loader is YAML's safe one.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from noisygrpo.errors import UserError, require

MOST_CHARACTERS = 200_000
"""A recipe has a few thousand."""

MOST_VALUES = 10_000
"""Values that a text may stand for, every alias written out; a recipe has a hundred."""

DEEPEST = 50
"""Lists and mappings within each other; a recipe needs five."""


class Loader(yaml.SafeLoader):
    """YAML's safe loader, except that ``1e-6`` is a number and a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse duplicate keys: of two values for one field nobody can know which one counts."""
        require(
            isinstance(node, yaml.MappingNode),
            f"line {node.start_mark.line + 1}: this tag needs a mapping",
        )
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # <<: *defaults
                continue
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            require(
                isinstance(key, str), f"line {line}: the key {key!r} is not text; put it in quotes"
            )
            require(key not in seen, f"line {line}: the key {key!r} stands twice in one section")
            seen.add(key)
        return super().construct_mapping(node, deep)


OTHER_BREAKS = "\r\x85\u2028\u2029"


class Dumper(yaml.SafeDumper):
    """Writes what `Loader` reads: text that looks like a number to it is quoted, and so is text
    with a line break other than LF, which reading may take for an LF."""

    def analyze_scalar(self, scalar: str) -> Any:
        """Let text with such a break be written in double quotes alone, which escape it."""
        analysis = super().analyze_scalar(scalar)
        if any(character in scalar for character in OTHER_BREAKS):
            analysis.allow_flow_plain = analysis.allow_block_plain = False
            analysis.allow_single_quoted = analysis.allow_block = False
        return analysis


# YAML 1.1 wants a dot in the mantissa and a signed exponent: "1e-6" would be text without this.
for side in (Loader, Dumper):
    side.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
        list("-+0123456789."),
    )


def dump_yaml(value: Any) -> str:
    """Return YAML that `read_yaml` reads as the same value, keys in their order."""
    return str(yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100))


def read_yaml(text: str, name: str) -> Any:
    """Parse YAML; ``name`` (a file or an option) is what an error message calls it.

    Raises:
        UserError: for text that is not YAML, that stands for too much, and for a key given twice,
            with the line.
    """
    try:
        _check_extent(text)
        return yaml.load(text, Loader)
    except UserError as error:
        raise UserError(f"{name}, {error}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from None
    except (ValueError, TypeError, AttributeError, OverflowError, LookupError) as error:
        # What PyYAML raises of a value that its tag, or its look, does not fit: 2024-99-99, !!int.
        raise UserError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from None


def _check_extent(text: str) -> None:
    """See that the text is small, flat and finite once its aliases are written out.

    Works on the parser's events, which it makes one after the other without recursion.
    """
    size = len(text)
    require(size <= MOST_CHARACTERS, f"line 1: {size:,} characters; at most {MOST_CHARACTERS:,}")
    named: dict[str, tuple[int, int]] = {}  # anchor -> values, depth
    open_: list[tuple[str | None, int, int]] = []  # anchor, values so far, depth below
    for event in yaml.parse(text, Loader):
        line = f"line {event.start_mark.line + 1}"
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, 1, 1))
            require(len(open_) <= DEEPEST, f"{line}: nested deeper than {DEEPEST} levels")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, values, depth = open_.pop()
        elif isinstance(event, yaml.ScalarEvent):
            anchor, values, depth = event.anchor, 1, 0
        elif isinstance(event, yaml.AliasEvent):
            inside = event.anchor in {name for name, _, _ in open_}
            require(not inside, f"{line}: the alias *{event.anchor} stands for what it is part of")
            anchor, (values, depth) = None, named.get(event.anchor, (1, 0))
        else:
            continue
        if anchor is not None:
            named[anchor] = values, depth
        require(
            values <= MOST_VALUES,
            f"{line}: stands for more than {MOST_VALUES:,} values, its aliases written out",
        )
        require(len(open_) + depth <= DEEPEST, f"{line}: nested deeper than {DEEPEST} levels")
        if open_:
            above, before, below = open_[-1]
            open_[-1] = above, before + values, max(below, depth + 1)
