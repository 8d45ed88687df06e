"""Answers from vLLM instead of Transformers: much faster on a GPU, not bit-identical to it.

vLLM is optional and only imported here. It gets the chat-templated prompt with one placeholder for
each image and expands it itself. Vision tokens are banned through ``logit_bias``, as in training.
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.data.rendering import rendered
from noisygrpo.errors import UserError, require
from noisygrpo.evaluation.evaluate import Answer
from noisygrpo.evaluation.generate import Completion, Generation, Row
from noisygrpo.models.versions import import_vllm
from noisygrpo.models.vision import vision_token_ids
from noisygrpo.schema import Raw, checked

_BAN = -100.0  # vLLM's smallest logit bias
TAKEN = ("model", "revision", "seed", "dtype", "trust_remote_code", "limit_mm_per_prompt")
"""Engine arguments that follow from the request."""


def vllm_answers(
    model: str,
    processor: Any,
    config: Any,
    settings: Generation,
    max_images: int = 1,
    **engine_options: Any,
) -> Answer:
    """A function that answers batches with a vLLM engine that is started now.

    ``model``: folder or hub id; ``processor``, ``config``: its Transformers processor and config;
    ``max_images``: most images of a row; ``engine_options``: for ``vllm.LLM``. Raises
    ``UserError`` where vLLM is not installed.
    """
    refuse_calibration(settings)
    engine = start_vllm(model, max_images, seed=settings.seed, **engine_options)
    return answer_with_vllm(engine, processor, config, settings)


def refuse_calibration(settings: Generation) -> None:
    """See that no text-bias calibration is asked of vLLM."""
    require(
        settings.text_bias_scale == 0,
        "text_bias_scale: calibration runs the model a second time for every token, on the prompt "
        "without its image; vLLM's logits processors see logits and cannot run it. Use --engine "
        "hf, on several GPUs with accelerate launch",
    )


def engine_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Engine arguments by vLLM's names, texts of the command line read as vLLM's types.

    Raises ``UserError`` where vLLM is not installed, has no such argument, or wants another type.
    """
    import_vllm()
    from vllm.engine.arg_utils import EngineArgs

    # Some types are names that vLLM imports for type checkers alone; such take any value.
    hints = {
        field.name: Any if isinstance(field.type, str) else field.type
        for field in dataclasses.fields(EngineArgs)
        if field.name not in TAKEN
    }
    for name in given:
        require(name not in TAKEN, f"vllm.{name}: an option of evaluate says it (--help)")
    raw = {name: Raw(v) if isinstance(v, str) else v for name, v in given.items()}
    return checked(raw, hints, "vllm")


def start_vllm(model: str, max_images: int, **engine_options: Any) -> Any:
    """A ``vllm.LLM`` for prompts of up to ``max_images`` images.

    Its arguments are tried on vLLM's own configuration before weights are read; what that refuses
    is a ``UserError``.
    """
    vllm = import_vllm()
    from vllm.engine.arg_utils import EngineArgs

    options = {
        "model": model, "limit_mm_per_prompt": {"image": max_images}, **engine_options,
    }  # fmt: skip
    try:
        EngineArgs(**options).create_engine_config()
    except (ValueError, TypeError, AssertionError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:400]
        raise UserError(f"vLLM refuses its arguments: {reason}") from error
    return vllm.LLM(**options)


def answer_with_vllm(engine: Any, processor: Any, config: Any, settings: Generation) -> Answer:
    """The function that answers batches of rows with a running engine."""
    refuse_calibration(settings)
    vllm = import_vllm()
    banned = vision_token_ids(config.to_dict(), processor.tokenizer)
    common = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_tokens": settings.max_new_tokens,
        "repetition_penalty": settings.repetition_penalty,
        "logit_bias": dict.fromkeys(banned, _BAN) or None,
    }

    def answer(rows: Sequence[Row]) -> list[Completion]:
        requests = [_request(processor, row) for row in rows]
        sampling = vllm.SamplingParams(**common)
        if settings.temperature > 0:
            seeds = [_seed(settings.seed, row) for row in rows]
            sampling = [vllm.SamplingParams(**common, seed=seed) for seed in seeds]
        outputs = engine.generate(requests, sampling, use_tqdm=False)
        return [_completion(output.outputs[0]) for output in outputs]

    return answer


def _seed(seed: int, row: Row) -> int:
    """A row's own seed: the same draw whatever shares its batch."""
    name = f"{seed}\n{row.get('example_id', '')}"
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest()) >> 1


def _request(processor: Any, row: Row) -> dict[str, Any]:
    images = list(row["images"])
    prompt = rendered(processor, row["prompt"], len(images))
    return {"prompt": prompt, **({"multi_modal_data": {"image": images}} if images else {})}


def _completion(output: Any) -> Completion:
    return Completion(output.text, len(output.token_ids), output.finish_reason == "length")
