"""The processes that answer one evaluation together, each a share of its batches.

``accelerate launch … noisygrpo evaluate`` starts them. Which batches there are does not depend on
their number, and each is answered whole by one process; so the samples, and with them every file,
are those of one process, byte for byte.
"""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from noisygrpo.errors import require

PATIENCE = timedelta(days=7)
"""How long a process that is done waits for the others."""


@dataclass(frozen=True)
class Processes:
    """This process and the others."""

    rank: int = 0
    count: int = 1
    _group: Any = field(default=None, repr=False, compare=False)

    @property
    def main(self) -> bool:
        """Whether this one writes what all have in common."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all have come here."""
        if self._group is not None:
            import torch

            torch.distributed.barrier(group=self._group)


ALONE = Processes()


def launched() -> Processes:
    """The processes that a launcher started, this one among them; `ALONE` without one."""
    count = os.environ.get("WORLD_SIZE", "1")
    if count in ("0", "1"):
        return ALONE
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    require(
        not missing,
        f"WORLD_SIZE is {count}, but {', '.join(missing)} is not set: start with accelerate launch "
        "or torchrun, or unset WORLD_SIZE",
    )
    import torch

    # By gloo, on GPUs too: who is done waits for hours, which NCCL would end after minutes.
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo", timeout=PATIENCE)
        atexit.register(_leave)
    group = torch.distributed.new_group(backend="gloo", timeout=PATIENCE)
    return Processes(torch.distributed.get_rank(), torch.distributed.get_world_size(), group)


def _leave() -> None:
    """A process whose threads still talk when it exits is aborted."""
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
