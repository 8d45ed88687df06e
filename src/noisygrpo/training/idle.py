"""Settings that would do nothing.

A run that trains something else than its settings say is worse than one that does not start. So a
field that the user gave, with another value than its default, is refused where what it belongs to
is off. What each field needs: ``needs``.
"""

from __future__ import annotations

from collections.abc import Iterator

from noisygrpo import fields
from noisygrpo.errors import UserError
from noisygrpo.schema import shown
from noisygrpo.training.needs import RULES
from noisygrpo.training.rule import Rule, Values
from noisygrpo.training.settings import DEFAULTS


def idle(given: Values, values: Values) -> Iterator[tuple[str, Rule]]:
    """Every given field that would do nothing, with the rule that says why.

    Args:
        given: what the user set, by name.
        values: all fields, with what method and defaults give.
    """
    defaults = fields.defaults("training")
    for rule in RULES:
        for name in rule.names:
            off = given.get(name) in (None, defaults[name], DEFAULTS.get(name))
            if not off and not rule.works(values):
                yield name, rule


def refuse_idle(given: Values, values: Values) -> None:
    """Raise ``UserError`` for the first given field that would do nothing."""
    for name, rule in idle(given, values):
        state = ", ".join(f"{switch} {shown(values[switch])}" for switch in rule.switches)
        raise UserError(f"{name}: {shown(given[name])} has no effect with {state}; {rule.needs}")
