"""The parts of the net, by name."""

from tests.faults import damages, inputs, invariants, kills

PARTS = {part.PART.name: part.PART for part in (kills, damages, inputs, invariants)}
