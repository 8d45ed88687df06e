"""The two meanings of nothing that a reward may return.

``None``: the reward does not apply to this completion; it is skipped in the sum, as in TRL.
`UNSCORABLE`: the reward applies, but could not be found out (a time-out, a parser's failure, a
judge without a verdict); the whole rollout then leaves its group's statistics and is counted.

`UNSCORABLE` is a float, a NaN with a payload of its own, because rewards travel as tensors: TRL
writes them into float32 and gathers them over the processes, where None becomes the ordinary NaN.
The payload survives both, so a trainer can tell them apart by their bits, and a plain TRL trainer,
which cannot, takes it for None.
"""

from __future__ import annotations

import math
import struct

UNSCORABLE_BITS = 0x7FE5C0DE
"""The bits of `UNSCORABLE` as float32; the ordinary NaN has 0x7fc00000."""

_DOUBLE_BITS = 0x7FF8000000000000 | (UNSCORABLE_BITS & 0x003FFFFF) << 29


class _Unscorable(float):
    """One value; it prints its name."""

    def __repr__(self) -> str:
        return "UNSCORABLE"


UNSCORABLE: float = _Unscorable(struct.unpack("<d", struct.pack("<Q", _DOUBLE_BITS))[0])
"""What a reward function returns for a completion that it should score and cannot."""


def is_unscorable(value: float | None) -> bool:
    """Whether a reward is `UNSCORABLE`, also after it was stored as float32 or float64."""
    if value is None or not math.isnan(value):
        return False
    return struct.unpack("<I", struct.pack("<f", value))[0] & 0x7FFFFFFF == UNSCORABLE_BITS
