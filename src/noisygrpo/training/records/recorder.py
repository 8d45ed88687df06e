"""What a batch of rollouts leaves behind: metrics, TRL's table of completions, rollouts on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate.utils import gather_object

from noisygrpo.training.batch import Batch, Weighed
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.records.metrics import Clock, advantage_metrics, by_level
from noisygrpo.training.records.rollouts import METRICS_FILE, append_lines, record, write_rollouts
from noisygrpo.training.views.show import images_for_table, with_parts


class Recorder:
    """Writes down what happened, on the main process; every process takes part in gathering."""

    def __init__(
        self,
        config: NoisyGRPOConfig,
        *,
        logs: dict[str, Any],
        metrics: dict[str, list[float]],
        clock: Clock,
        main: bool,
        ends: set[int],
        turns: bool,
    ) -> None:
        """Take where it goes.

        Args:
            config: names folder and format.
            logs: TRL's table of completions.
            metrics: those of the step, by name, of which TRL logs the means.
            clock: counts the tokens of the step.
            main: whether this is the main process.
            ends: tokens that end a completion.
            turns: whether completions may hold several turns, which are then written down.
        """
        self._config, self._logs, self._metrics = config, logs, metrics
        self._clock, self._main, self._ends, self._turns = clock, main, ends, turns
        self._folder = Path(str(config.output_dir))

    def batch(self, batch: Batch, weighed: Weighed, step: int, part: int) -> None:
        """Record a finished batch.

        Args:
            batch: with its rewards and advantages.
            weighed: these, over all processes.
            step: optimizer step that it was made for, from 1.
            part: which batch of the step it is, from 0.
        """
        rewards, levels = weighed.rewards.flatten().tolist(), weighed.levels.flatten().tolist()
        metrics = advantage_metrics(weighed)
        self.add(metrics | by_level(rewards, levels, "reward"))
        log = self._logs["advantages"]  # TRL's numbers; these ones were used
        for _ in rewards[: len(log)]:
            log.pop()
        log.extend(weighed.advantages.flatten().tolist())
        lines = gather_object([record(one, self._ends, self._turns) for one in batch.rollouts])
        self._clock.tokens += sum(line["completion_tokens"] for line in lines)
        if self._main:
            name = f"step-{step:06d}" + (f"-{part}" if part else "")
            write_rollouts(self._folder, self._config.rollouts_format, name, lines)

    def add(self, metrics: Mapping[str, float]) -> None:
        """Add to the metrics of the step."""
        for name, value in metrics.items():
            self._metrics[name].append(value)

    def table(self, batch: Batch, images: bool) -> None:
        """Make TRL's table of completions one that can be written; ``images``: with the views."""
        prompts = self._logs["prompt"]  # prompts in two layouts cannot be written
        prompts.extend([with_parts(prompts.popleft()) for _ in range(len(prompts))])
        if images and batch.shown is not None:
            shown = images_for_table(batch.rollouts, batch.shown)
            self._logs["images"].extend(gather_object(shown))

    def step(self, entry: dict[str, Any]) -> None:
        """Append what the trainer logged to ``metrics.jsonl``."""
        if self._main:
            append_lines(self._folder / METRICS_FILE, [entry])
