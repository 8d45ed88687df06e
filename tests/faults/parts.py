"""The parts of the net, by name."""

from tests.faults import damages, growth, inputs, invariants, kills, properties

PARTS = {
    module.PART.name: module.PART
    for module in (kills, damages, inputs, invariants, properties, growth)
}
