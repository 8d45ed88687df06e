"""What a batch of rollouts leaves behind: metrics, TRL's table of completions, rollouts on disk."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accelerate.utils import gather_object

from noisygrpo.training.batch import Batch, Weighed
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.records.level_bins import LevelBins
from noisygrpo.training.records.metrics import Clock, advantage_metrics
from noisygrpo.training.records.rollouts import METRICS_FILE, append_lines, record, write_rollouts
from noisygrpo.training.records.slope import SlopeWatch, group_slopes, slope_metrics
from noisygrpo.training.records.table import complete

logger = logging.getLogger(__name__)


def noise_of(config: NoisyGRPOConfig) -> dict[str, Any]:
    """What a record says of the noise of its run, so that its view can be drawn again."""
    knobs, released = (config.knobs or {}).get("noise_kind"), list(config.released or ())
    more = {"noise_knobs": knobs, "released": released}
    return {"noise_kind": config.noise_kind} | {
        name: value for name, value in more.items() if value
    }


@dataclass
class Recorder:
    """Writes down what happened, on the main process; every process takes part in gathering."""

    config: NoisyGRPOConfig  # names folder and format
    logs: dict[str, Any]  # TRL's table of completions
    metrics: dict[str, list[float]]  # those of the step, by name, of which TRL logs the means
    clock: Clock  # counts the tokens of the step
    main: bool  # whether this is the main process
    ends: set[int]  # tokens that end a completion
    turns: bool  # whether completions may hold several turns, which are then written down
    slopes: SlopeWatch = field(init=False)  # says what is wrong with the levels

    def __post_init__(self) -> None:
        """Have seen no batch."""
        self.slopes = SlopeWatch(self.folder)

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(str(self.config.output_dir))

    def batch(self, weighed: Weighed) -> None:
        """Record what became of a batch: rewards and advantages over all processes."""
        rewards, levels = weighed.rewards.flatten().tolist(), weighed.levels.flatten().tolist()
        slopes = group_slopes(weighed.rewards, weighed.levels)
        metrics = advantage_metrics(weighed) | slope_metrics(slopes) | weighed.metrics
        for line in self.slopes.add(weighed, slopes.tolist()) if self.main else ():
            logger.warning(line)
        self.add(metrics | LevelBins.of(self.config).means(rewards, levels, "reward"))
        log = self.logs["advantages"]  # TRL's numbers; these ones were used
        for _ in rewards[: len(log)]:
            log.pop()
        log.extend(weighed.advantages.flatten().tolist())

    def rollouts(self, batch: Batch, step: int, part: int) -> None:
        """Write down a finished batch, which is number ``part`` (from 0) of a step (from 1)."""
        noise = noise_of(self.config)
        mine = [record(one, self.ends, self.turns, noise) for one in batch.rollouts]
        lines = gather_object(mine)
        self.clock.tokens += sum(line["completion_tokens"] for line in lines)
        if self.main:
            name = f"step-{step:06d}" + (f"-{part}" if part else "")
            write_rollouts(self.folder, self.config.rollouts_format, name, lines)

    def add(self, metrics: Mapping[str, float]) -> None:
        """Add to the metrics of the step."""
        for name, value in metrics.items():
            self.metrics[name].append(value)

    def table(self, batch: Batch) -> None:
        """Complete TRL's table of completions."""
        images = bool(self.config.log_multimodal)
        complete(self.logs, batch, images=images, hinted=self.config.hinted)

    def step(self, entry: dict[str, Any]) -> None:
        """Append what the trainer logged to ``metrics.jsonl``."""
        if self.main:
            append_lines(self.folder / METRICS_FILE, [entry])
