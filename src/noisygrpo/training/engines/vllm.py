"""Sampling with vLLM, in which every rollout may see another image.

What TRL 1.16 does with vLLM and a vision-language model, and what is different here:

- In colocate mode it hands over prompts whose image placeholders are already expanded (one token
  per feature). vLLM puts its own expansion in the place of the *first* token, so the model would
  see the features and then as many meaningless tokens again. Here every run of image tokens is one
  placeholder again (``fold_images``), and the prompt that vLLM made of it must equal, token by
  token, the one that is scored; else the row is named (``vllm_prompts``).
- In server mode it sends every G-th prompt and asks for G completions. Where rollouts of a group
  see different images here every prompt is sent, and asked for one completion. It also takes its
  own word for how long an image is; here that is compared with the server's.
- With new weights it forgets vLLM's prefixes, but not the image features that vLLM keeps by the
  image's hash, so an image seen before would be shown as the old vision tower saw it. Here these
  are forgotten too.
- vLLM processes images itself, with the limits of the model's folder. Where the run has limits of
  its own, images are brought to their size before (``fit_images``).
- Its importance-sampling correction, min(pi_theta / pi_vllm, c), compares log-probs given the same
  image only for clean rollouts. With noisy views it is off unless asked for
  (``vllm_importance_sampling_correction: true``), and then it corrects clean rollouts alone: noisy
  ones keep weight 1, as in the published methods (``spare_noisy``). ``log_view_ratio`` logs by
  level what a correction would be. With ``score_view`` own or all the learner's log-probs are of
  the view that was sampled on, and all rollouts are corrected.

The sampler's log-probs are kept, as in TRL. What is said of TRL and vLLM was seen with 0.31.0
(tests/with_vllm).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.utils import gather_object
from PIL import Image

from noisygrpo.errors import require
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.engines.generate import Sampled
from noisygrpo.training.engines.vllm_prompts import check_lengths, check_prompt
from noisygrpo.training.pictures.hashes import Hashes, PictureHashes
from noisygrpo.training.pictures.links import require_same
from noisygrpo.training.pictures.watch import watch_prompts, watch_requests
from noisygrpo.training.rollout import Rollout, row_names

Ids = list[list[int]]
Images = Sequence[Sequence[Image.Image] | None]


@dataclass
class VLLMEngine:
    """Samples with TRL's ``VLLMGeneration``, colocated or a server."""

    engine: Any  # TRL's ``VLLMGeneration``
    config: NoisyGRPOConfig
    processor: Any  # the model's, for its patch size
    image_token: int | None  # stands for one image feature
    step: Callable[[], int]  # optimizer steps done; weights are synchronised when it moves
    main: bool  # whether this is the main process, which talks to a server
    profile: Callable[[str], AbstractContextManager[Any]]  # TRL's ``profiling_context``
    watches: bool = False  # whether the pictures that are handed over are compared
    loaded: int | None = None  # the step whose weights the engine has

    def sample(
        self,
        rollouts: Sequence[Rollout],
        training: bool,
        ids: Any,
        images: Any,
        fields: dict[str, Any],
        num_generations: int,
        *more: Any,
        **options: Any,
    ) -> Sampled:
        """Return a completion for each prompt, and log-probs; arguments after two are TRL's turn's.

        Args:
            rollouts: of this process's batch.
            training: whether these are rollouts to train on; those of evaluation are clean.
            num_generations: G; 1 for turns after the first.

        Raises:
            UserError: naming a row whose prompt the engine reads otherwise than it is scored.
        """
        if self.loaded != self.step():
            self._sync_weights()
            self.loaded = self.step()
        prompts, images = self._translate(ids, images, fields)
        # Every process must send alike, so this asks for the plan and not for the views drawn.
        several = self.config.noisy and training
        count, rows = 1 if several else num_generations, row_names(rollouts, len(ids))
        lengths = check_lengths(self.engine, self._places(rows, fields, count))
        with lengths, self._watch(rollouts, rows, images, count, training):
            seen, completion_ids, log_probs, _ = self.engine.generate(
                prompts=prompts,
                images=images,
                num_generations=count,
                profiler=self.profile("vLLM.generate"),
            )
        for each in zip(rows, ids, seen, strict=True):
            check_prompt(*each)
        completions = [list(row) for row in completion_ids]
        return completions, [[token[0] for token in row] for row in log_probs]

    @contextmanager
    def _watch(
        self, rollouts: Sequence[Rollout], rows: list[str], images: Any, count: int, training: bool
    ) -> Iterator[None]:
        """Compare the pictures that vLLM is handed with those that it is meant to be."""
        if not (self.watches and training):
            yield
            return
        step, hashes = rollouts[0].step, PictureHashes()
        meant = [hashes.row(row) for row in images or [()] * len(rows)]
        if len(rollouts) == len(rows) and self.config.max_pixels is self.config.min_pixels is None:
            require_same(step, rows, [tuple(one.seen) for one in rollouts], meant, "for vLLM")
        if self.config.vllm_mode == "colocate":

            def check(found: list[Hashes]) -> None:
                require_same(step, rows, meant, self._own(found, len(rows)), "handed to vLLM")

            with watch_prompts(self.engine.llm, check):
                yield
            return
        every = gather_object(list(zip(rows, meant, strict=True)))[::count]
        names, pictures = [name for name, _ in every], [row for _, row in every]

        def check_sent(found: list[Hashes]) -> None:
            require_same(step, names, pictures, found, "sent to the server")

        client = self.engine.vllm_client if self.main else None
        with watch_requests(client, check_sent, step, names) if client else nullcontext():
            yield

    def _own(self, rows: list[Hashes], count: int) -> list[Hashes]:
        """Return this process's of the rows that processes with one vLLM have handed it."""
        if len(rows) == count:
            return rows
        place = torch.distributed.get_rank(group=self.engine.tp_group)
        return rows[place * count : (place + 1) * count]

    def _sync_weights(self) -> None:
        engine = self.engine
        with self.profile("sync_weights"):
            engine.sync_weights()
        if self.config.vllm_mode == "colocate":
            engine.llm.llm_engine.reset_encoder_cache()
        elif self.main:
            client = engine.vllm_client
            answer = client.session.post(f"{client.base_url}/reset_encoder_cache")
            require(
                answer.status_code == 200,
                f"vllm_mode: server: {client.base_url} answers {answer.status_code} to "
                "/reset_encoder_cache, so images would be shown as old weights saw them; start it "
                "with VLLM_SERVER_DEV_MODE=1, as docs/scaling.md says",
            )

    def _places(self, rows: list[str], fields: dict[str, Any], count: int) -> list[Any] | None:
        """Return the row of each prompt that a server is sent; None of one not in Qwen's layout."""
        if self.config.vllm_mode == "colocate":
            return None
        known = [row if "image_grid_thw" in fields else None for row in rows]
        return list(gather_object(known)[::count])

    def _translate(
        self, ids: Any, images: Any, fields: dict[str, Any]
    ) -> tuple[Ids, Images | None]:
        """Return prompts and images as the engine wants them."""
        prompts: Ids = [list(row) for row in ids]
        if images is None or "image_grid_thw" not in fields:
            return prompts, images
        if self.config.max_pixels is not None or self.config.min_pixels is not None:
            patch = self.processor.image_processor.patch_size
            images = fit_images(images, fields["image_grid_thw"], patch)
        if self.config.vllm_mode == "colocate":  # a server is told where the features belong
            assert self.image_token is not None
            prompts = [fold_images(row, self.image_token) for row in prompts]
        return prompts, images


def spare_noisy(batch: dict[str, Any], rollouts: Sequence[Rollout]) -> None:
    """Set the importance-sampling weights of TRL's batch, if it has some, to 1 for noisy ones."""
    name = "importance_sampling_ratio"
    if name in batch:
        noisy = batch[name].new_tensor([rollout.noisy for rollout in rollouts]).bool()
        batch[name] = batch[name].masked_fill(noisy[:, None], 1.0)


def fold_images(ids: Sequence[int], image_token: int) -> list[int]:
    """Return the tokens with every run of image tokens as one: an image's placeholder.

    In Qwen's layout markers stand between the runs of neighbouring images.
    """
    return [
        token
        for place, token in enumerate(ids)
        if token != image_token or place == 0 or ids[place - 1] != image_token
    ]


def fit_images(images: Images, grids: Any, patch: int) -> list[list[Image.Image] | None]:
    """Return the images at the size that the run's processor gives them.

    ``grids [images, 3]`` are the patches of each in time, height and width, of a side of ``patch``
    pixels. A row without images is None.
    """
    sizes = iter([(int(width) * patch, int(height) * patch) for _, height, width in grids])

    def fit(image: Image.Image) -> Image.Image:
        size = next(sizes)
        return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)

    return [None if row is None else [fit(image) for image in row] for row in images]
