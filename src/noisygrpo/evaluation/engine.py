"""The model behind one or several evaluations: loaded once, and only when it is first asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from noisygrpo.errors import require
from noisygrpo.evaluation.evaluate import Answer, answer_with
from noisygrpo.evaluation.generate import Generation
from noisygrpo.evaluation.processes import Processes
from noisygrpo.evaluation.request import EvaluationRequest
from noisygrpo.evaluation.rows import Rows
from noisygrpo.evaluation.vllm_engine import (
    answer_with_vllm,
    engine_arguments,
    refuse_calibration,
    start_vllm,
)
from noisygrpo.models.vision import noise_limits, set_pixel_limits

Loaded = tuple[Any, Any]
"""(model, processor)"""
LoadModel = Callable[[], Loaded]


class Engine:
    """What answers the rows of requests that agree in everything but the benchmark.

    ``load``: gives model and processor; by default they are loaded from ``request.model``.
    ``rows``: those of all requests; vLLM has to know the most images of a row.
    """

    def __init__(
        self,
        request: EvaluationRequest,
        rows: Sequence[Any],
        load: LoadModel | None,
        processes: Processes,
    ) -> None:
        self._request, self._rows, self._load = request, rows, load
        self._made: Callable[[Generation], Answer] | None = None
        if request.engine == "vllm":
            require(
                processes.count == 1,
                f"--engine vllm under a launcher of {processes.count} processes: vLLM starts its "
                "own; run one process, --tensor-parallel-size N spreads the model over N GPUs",
            )

    def answers(self, generation: Generation) -> Answer:
        """The function that answers batches, which makes the model ready when it is called."""
        if self._request.engine == "vllm":
            refuse_calibration(generation)

        ready: list[Answer] = []

        def answer(batch: Any) -> Any:
            if not ready:
                ready.append(self._model()(generation))
            return ready[0](batch)

        return answer

    def noise_limits(self) -> tuple[int, int] | None:
        """The pixels that images are brought into before they are disturbed."""
        request = self._request
        if not request.disturbed or request.noise_at == "file":
            return None
        from noisygrpo.models.loading import load_any_processor

        given = self._load
        processor = load_any_processor(model_spec(request)) if given is None else given()[1]
        set_pixel_limits(processor, request.min_pixels, request.max_pixels)
        return noise_limits(request.noise_at, processor)

    def _model(self) -> Callable[[Generation], Answer]:
        if self._made is None:
            vllm = self._request.engine == "vllm"
            self._made = self._vllm() if vllm else self._transformers()
        return self._made

    def _transformers(self) -> Callable[[Generation], Answer]:
        model, processor = load_model(self._request) if self._load is None else self._load()
        set_pixel_limits(processor, self._request.min_pixels, self._request.max_pixels)
        return lambda generation: answer_with(model, processor, generation)

    def _vllm(self) -> Callable[[Generation], Answer]:
        from noisygrpo.models.loading import load_any_processor, load_config, location

        request, spec = self._request, model_spec(self._request)
        limits = {"max_pixels": request.max_pixels, "min_pixels": request.min_pixels}
        pixels = {name: value for name, value in limits.items() if value is not None}
        options: dict[str, Any] = {"mm_processor_kwargs": pixels} if pixels else {}
        options |= {"dtype": spec.dtype, "trust_remote_code": spec.trust_remote_code}
        options |= {"seed": request.seed, **engine_arguments(request.vllm)}
        if spec.revision is not None:
            options["revision"] = spec.revision
        processor, config = load_any_processor(spec), load_config(spec)
        images = max(1, *(Rows(rows).most_images() for rows in self._rows))
        engine = start_vllm(location(spec), images, **options)
        return lambda generation: answer_with_vllm(engine, processor, config, generation)


def load_model(request: EvaluationRequest) -> Loaded:
    """Model and processor of a request, on this process's GPU if there is one."""
    # Imported here: recipes know models, evaluation needs them only when it loads one itself.
    from noisygrpo.models.loading import default_device, load_any_processor
    from noisygrpo.models.loading import load_model as load_weights

    spec = model_spec(request)
    return load_weights(spec).to(default_device()), load_any_processor(spec)


def model_spec(request: EvaluationRequest) -> Any:
    """The section ``model`` of a recipe for the model of a request."""
    from noisygrpo.models.spec import ModelSpec
    from noisygrpo.schema import checked, hints_of

    names = ("revision", "dtype", "attn_implementation", "trust_remote_code")
    given = {"path": request.model, **{name: vars(request)[name] for name in names}}
    return ModelSpec(**checked(given, hints_of(ModelSpec), "model"))
