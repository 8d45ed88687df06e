"""The clean scoring alone, for a trainer of one's own: sampled on a view, scored on the picture.

::

    class Mine(SampleOnViews, GRPOTrainer):
        def see(self, images, row, rollout):
            return [image.rotate(5 * rollout) for image in images]

It is easy to get wrong by hand. TRL takes what it samples from and the pictures that it scores with
from one method, and makes both of the prompts. So a trainer that swaps pictures in its rows, or in
its prompts, samples *and scores* on the swapped ones, and nothing says so: the loss falls, on
pictures that nobody will show the model. `require_clean_scoring` looks at a trainer, ours or one's
own, and says what it was scored on.

With vLLM, tools or environments it is more than this (one prompt for a group, caches of pictures,
turns after the first): `NoisyGRPOTrainer` does that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image

from noisygrpo.errors import require
from noisygrpo.training.rollout import row_images
from noisygrpo.training.views.show import prompt_images, replace_images


class SampleOnViews:
    """Mixin in front of ``trl.GRPOTrainer``: sampling gets ``see``'s pictures, scoring the rows'.

    Evaluation rollouts see the clean pictures. Everything else is TRL's.
    """

    _seeing: list[Any] | None = None  # the rows of the batch in the making, until they are seen

    def see(
        self, images: list[Image.Image], row: Mapping[str, Any], rollout: int
    ) -> list[Image.Image]:
        """Return what a rollout sees: as many pictures, each of its picture's size. Yours to write.

        Draw from a generator that is addressed, such as
        ``numpy.random.default_rng([self.args.seed, self.state.global_step, rollout])``, so that a
        resumed run sees the same.

        Args:
            images: the row's, which must stay as they are.
            row: of the data set.
            rollout: place in its group, 0 .. G-1.
        """
        raise NotImplementedError("SampleOnViews: write see(self, images, row, rollout)")

    def _generate_and_score_completions(self, inputs: list[Any]) -> dict[str, Any]:
        trainer: Any = self
        several = trainer.tools or trainer.environment_factories is not None
        require(
            not (trainer.use_vllm or several or trainer.rollout_func is not None),
            "SampleOnViews: with vLLM, tools, environments or a rollout function use "
            "noisygrpo.NoisyGRPOTrainer, which hands views to these as well",
        )
        self._seeing = inputs if trainer.model.training else None
        try:
            return super()._generate_and_score_completions(inputs)  # type: ignore[misc]
        finally:
            self._seeing = None

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[Any, Any, dict[str, Any]]:
        tokenize, rows = super()._tokenize_prompts, self._seeing  # type: ignore[misc]
        if rows is None:
            return tokenize(prompts)
        clean = [prompt_images(prompt) for prompt in prompts]
        places = range(len(rows))
        views = [self._view(*each) for each in zip(prompts, clean, rows, places, strict=True)]
        ids, images, fields = tokenize(views)  # what is sampled from
        return ids, images and [row or None for row in clean], fields  # what is scored with

    def _view(
        self, prompt: Any, images: list[Image.Image], row: Mapping[str, Any], place: int
    ) -> Any:
        """Return the prompt with what its rollout sees."""
        trainer: Any = self
        first = trainer.accelerator.process_index * len(self._seeing or ())
        before = [image.tobytes() for image in images]
        seen = self.see(list(images), row, (first + place) % trainer.num_generations)
        sizes = [image.size for image in images], [image.size for image in seen]
        require(
            sizes[0] == sizes[1],
            f"see: returned pictures of the sizes {sizes[1]} for those of {sizes[0]}; the prompt "
            "that is scored would have other image tokens than the one that is sampled",
        )
        require(
            before == [image.tobytes() for image in images],
            "see: modifies the pictures that it gets, which are scored; work on a copy",
        )
        return replace_images(prompt, seen)


def require_clean_scoring(trainer: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Make a batch of rollouts and see what pictures it was sampled on and is scored on.

    Args:
        trainer: a ``trl.GRPOTrainer``, built. Its weights and settings stay; it logs the batch as
            any other, and it draws random numbers.
        rows: with pictures, each G times in a row, as the trainer would get them: a batch of one
            process.

    Raises:
        UserError: the pictures that are scored are not the rows' own, or no rollout was sampled on
            another one.
    """
    sampled: dict[str, Any] = {}
    turn = trainer._generate_single_turn

    def watched(ids: Any, images: Any, fields: dict[str, Any], *more: Any, **options: Any) -> Any:
        sampled.setdefault("pixel_values", torch.as_tensor(fields["pixel_values"]).clone())
        return turn(ids, images, fields, *more, **options)

    trainer._generate_single_turn = watched
    training = trainer.model.training
    trainer.model.train()  # as in train(): in evaluation every rollout sees the clean picture
    try:
        output = trainer._generate_and_score_completions(list(rows))
    finally:
        trainer.model.train(training)
        del trainer._generate_single_turn
    pictures = [image for row in rows for image in row_images(row)]
    clean = trainer.processing_class.image_processor(images=pictures, return_tensors="pt")
    own = torch.as_tensor(clean["pixel_values"])
    scored = output["pixel_values"].cpu()
    require(
        scored.shape == own.shape and torch.equal(scored, own.to(scored.dtype)),
        f"{type(trainer).__name__} scores completions on other pictures than their rows' own: the "
        "update then teaches the model about the views; hand TRL the clean pictures for scoring "
        "(noisygrpo.SampleOnViews)",
    )
    seen = sampled["pixel_values"]
    require(
        seen.shape != own.shape or not torch.equal(seen, own.to(seen.dtype)),
        f"{type(trainer).__name__} samples every completion on its row's own pictures: no rollout "
        "saw a view",
    )
