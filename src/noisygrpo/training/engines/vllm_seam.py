"""Rollouts through vLLM: the layer of the trainer between the views and TRL's engine.

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
  ones keep weight 1, as in the published methods. ``log_view_ratio`` logs by level what a
  correction would be.

The sampler's log-probs are kept, as in TRL. What is said of TRL and vLLM was seen with 0.31.0
(tests/with_vllm).
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from accelerate.utils import gather_object
from PIL import Image
from trl.extras.profiling import profiling_context

from noisygrpo.errors import require
from noisygrpo.training.engines.vllm_prompts import check_lengths, check_prompt
from noisygrpo.training.prefix.shared_prefix_seam import SharedPrefixSeam

Ids = list[list[int]]
Images = Sequence[Sequence[Image.Image] | None]


class VLLMSeam(SharedPrefixSeam):
    """``trl.GRPOTrainer`` whose vLLM rollouts may each see another image; else unchanged."""

    _rollouts: list[Any]
    _last_loaded_step: int

    def _generate_single_turn(
        self,
        prompt_ids: Any,
        images: Any,
        multimodal_fields: dict[str, Any],
        num_generations: int,
        has_tool_images: bool = False,
    ) -> tuple[Any, Any]:
        if not self.use_vllm:
            return super()._generate_single_turn(
                prompt_ids, images, multimodal_fields, num_generations, has_tool_images
            )
        if self.state.global_step != self._last_loaded_step:
            with profiling_context(self, "sync_weights"):
                self._sync_weights()
            self._last_loaded_step = self.state.global_step
        prompts, images = self._for_vllm(prompt_ids, images, multimodal_fields)
        several = self.args.noisy and self.model.training
        count, rows = 1 if several else num_generations, self._row_names(len(prompt_ids))
        with self._lengths_checked(rows, multimodal_fields, count):
            seen, completion_ids, log_probs, _ = self.vllm_generation.generate(
                prompts=prompts,
                images=images,
                num_generations=count,
                profiler=profiling_context(self, "vLLM.generate"),
            )
        for each in zip(rows, prompt_ids, seen, strict=True):
            check_prompt(*each)
        completions = [list(ids) for ids in completion_ids]
        return completions, [[token[0] for token in row] for row in log_probs]

    def _sync_weights(self) -> None:
        engine = self.vllm_generation
        engine.sync_weights()
        if self.args.vllm_mode == "colocate":
            engine.llm.llm_engine.reset_encoder_cache()
        elif self.accelerator.is_main_process:
            client = engine.vllm_client
            answer = client.session.post(f"{client.base_url}/reset_encoder_cache")
            require(
                answer.status_code == 200,
                f"vllm_mode: server: {client.base_url} answers {answer.status_code} to "
                "/reset_encoder_cache, so images would be shown as old weights saw them; start it "
                "with VLLM_SERVER_DEV_MODE=1, as docs/scaling.md says",
            )

    def _row_names(self, count: int) -> list[str]:
        """Return each prompt's row; where some rollouts are sampled again, all that it may be."""
        names = [rollout.example_id for rollout in self._rollouts]
        return names if len(names) == count else [" or ".join(sorted(set(names)))] * count

    def _lengths_checked(
        self, rows: list[str], fields: dict[str, Any], count: int
    ) -> AbstractContextManager[None]:
        """Return the context in which a server's image lengths are compared, in Qwen's layout."""
        if self.args.vllm_mode == "colocate":
            return nullcontext()
        known = [row if "image_grid_thw" in fields else None for row in rows]
        return check_lengths(self.vllm_generation, gather_object(known)[::count])

    def _for_vllm(
        self, prompt_ids: Any, images: Any, fields: dict[str, Any]
    ) -> tuple[Ids, Images | None]:
        """Return prompts and images as the engine wants them."""
        prompts: Ids = [list(ids) for ids in prompt_ids]
        if images is None or "image_grid_thw" not in fields:
            return prompts, images
        if self.args.max_pixels is not None or self.args.min_pixels is not None:
            patch = self.processing_class.image_processor.patch_size
            images = fit_images(images, fields["image_grid_thw"], patch)
        if self.args.vllm_mode == "colocate":  # a server is told where the features belong
            prompts = [fold_images(ids, self._image_pad_token_id) for ids in prompts]
        return prompts, images

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        ratio = output.get("importance_sampling_ratio")
        if ratio is not None:
            noisy = [rollout.noisy for rollout in self._rollouts]
            output["importance_sampling_ratio"] = ratio.masked_fill(
                ratio.new_tensor(noisy).bool()[:, None], 1.0
            )
        return output


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

    Args:
        images: of each row; None for a row without.
        grids: patches of each image in time, height and width, ``[images, 3]``, in order.
        patch: pixels along a patch's side.
    """
    sizes: Iterator[tuple[int, int]] = iter([(int(w) * patch, int(h) * patch) for _, h, w in grids])

    def fit(image: Image.Image) -> Image.Image:
        size = next(sizes)
        return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)

    return [None if row is None else [fit(image) for image in row] for row in images]
