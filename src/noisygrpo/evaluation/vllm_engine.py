"""Answers from vLLM instead of Transformers: much faster on a GPU, not bit-identical to it.

vLLM is optional and only imported here. It gets the chat-templated prompt with one placeholder for
each image and expands it itself. Vision tokens are banned through ``logit_bias``, as in training.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from noisygrpo.errors import require
from noisygrpo.evaluation.evaluate import Answer
from noisygrpo.evaluation.generate import Completion, Generation, Row, with_image_slots
from noisygrpo.models.versions import import_vllm
from noisygrpo.models.vision import vision_token_ids

_BAN = -100.0  # vLLM's smallest logit bias


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
    require(
        settings.text_bias_scale == 0,
        "text_bias_scale: vLLM cannot decode two coupled prompts; use --engine hf",
    )
    vllm = import_vllm()
    limits = {"limit_mm_per_prompt": {"image": max_images}}
    engine = vllm.LLM(model=model, seed=settings.seed, **limits, **engine_options)
    banned = vision_token_ids(config.to_dict(), processor.tokenizer)
    common = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_tokens": settings.max_new_tokens,
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
    prompt = processor.apply_chat_template(
        with_image_slots(row["prompt"], len(images)), tokenize=False, add_generation_prompt=True
    )
    return {"prompt": prompt, **({"multi_modal_data": {"image": images}} if images else {})}


def _completion(output: Any) -> Completion:
    return Completion(output.text, len(output.token_ids), output.finish_reason == "length")
