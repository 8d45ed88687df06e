"""Data in which some rows have images and some have none, on several processes.

A process whose rows have no image does not run the vision tower, which the others do:

- under DDP its parameters get no gradient there, and the reducer waits for them unless it is told
  to look (``ddp_find_unused_parameters``; Transformers' default is not to with gradient
  checkpointing);
- where the tower's weights are sharded (FSDP, ZeRO-3) the others wait for its part of the weights,
  forever; that is refused before the first step.
"""

import pyarrow as pa
import pyarrow.compute as pc
from accelerate.state import AcceleratorState
from datasets import Dataset

from noisygrpo.errors import require
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.sharding import weights_sharded


def is_mixed(dataset: Dataset) -> bool:
    """Tell whether some rows have images and some have none, without decoding any."""
    columns = dataset.data.column_names
    if "images" in columns:
        column = dataset.data.column("images")
        lists = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
        seen = pc.fill_null(pc.list_value_length(column), 0) if lists else pc.is_valid(column)
        has = pc.greater(seen, 0) if lists else seen
    elif "image" in columns:
        has = pc.is_valid(dataset.data.column("image"))
    else:
        return False
    return bool(pc.any(has).as_py()) and not bool(pc.all(has).as_py())


def look_for_unused(config: NoisyGRPOConfig, dataset: Dataset) -> None:
    """Let DDP look for parameters without a gradient where some process may have no image."""
    if config.ddp_find_unused_parameters is None and config.world_size > 1 and is_mixed(dataset):
        config.ddp_find_unused_parameters = True


def refuse_sharded(state: AcceleratorState, dataset: Dataset) -> None:
    """Raise ``UserError`` where weights are sharded and the data is mixed."""
    require(
        not (weights_sharded(state) and is_mixed(dataset)),
        "data: some rows have images and some have none; with sharded weights (FSDP, ZeRO-3) a "
        "process without an image would leave the others waiting: use DDP or ZeRO-2, or rows that "
        "all have one",
    )
