"""Measures one part of `make gpu-figures`, in a process that does nothing else."""

import importlib
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gpu_parts import Part
from machine import Machine
from rollout_engines import TESTS, rate
from shapes import Job
from steps import Steps, build_model, build_processor, build_row, stepping

FORMAT = 1
"""Of a result's file; a file of another one is not read."""
USED = 0.9
"""Of the card's memory, what has to be free before a part begins."""
FULL = (
    "out of memory",
    "can't allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "No available memory for the cache blocks",
    "is larger than the available KV cache memory",
)
"""What libraries say when memory does not suffice."""


def measure(part: Part, machine: Machine, file: Path, limit: float) -> None:
    """Measure a part and write what came out: its cost, or why it has none."""
    from noisygrpo.evaluation.samples import write_json

    result = {
        "format": FORMAT,
        "part": part.to_dict(),
        "machine": machine.to_dict(),
        "date": time.strftime("%Y-%m-%d"),
        **outcome_of(part, until=time.monotonic() + 0.9 * limit),
    }
    write_json(file, result)


def outcome_of(part: Part, until: float) -> dict[str, Any]:
    """Return ``outcome`` and numbers, or a note; what is of another kind is raised."""
    from noisygrpo.errors import UserError

    try:
        if (used := in_use(part.job.device)) is not None:
            return {"outcome": "not now", "note": used}
        found = MEASURES[part.what](part, until)
        return {"outcome": "measured", **found}
    except UserError as error:
        return {"outcome": "not here", "note": str(error)}
    except Exception as error:
        if not does_not_fit(error):
            raise
        return {"outcome": "does not fit", "note": card_of(part.job.device)}


def does_not_fit(error: BaseException | None) -> bool:
    """Tell whether memory was too small, whichever library says so, in whatever it has caused."""
    import torch

    while error is not None:
        if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
            return True
        if any(text in str(error) for text in FULL):
            return True
        error = error.__cause__ or error.__context__
    return False


def in_use(device: str) -> str | None:
    """Say that others use the card: then its memory says nothing about what fits."""
    if device == "cpu":
        return None
    import torch

    free, total = torch.cuda.mem_get_info()
    if free >= USED * total:
        return None
    return f"the card is in use: {free / 2**30:.0f} of its {total / 2**30:.0f} GiB are free"


def card_of(device: str) -> str:
    if device == "cpu":
        return "does not fit in this machine's memory"
    import torch

    return f"does not fit in {torch.cuda.mem_get_info()[1] / 2**30:.0f} GiB"


# ---- an update, a step ----


def trained(part: Part, until: float) -> dict[str, Any]:
    """Return seconds and bytes of each round after the first, and what the plan forecasts."""
    with stepping(part.job) as steps:
        plan = forecast(part.job, steps)
        first = steps.make()
        spent = [steps.make()]
        while len(spent) < part.rounds and time.monotonic() + spent[-1].seconds < until:
            spent.append(steps.make())
    seconds = [one.seconds for one in spent]
    job = part.job
    tokens = job.group * job.prompts * job.completion
    return {
        "seconds": seconds,
        "added": max(one.added for one in spent),
        "peak": max(one.peak for one in (first, *spent)),
        "norm": first.norm,
        "forecast": plan,
        "tokens_per_second": tokens / statistics.median(seconds),
    }


def forecast(job: Job, steps: Steps) -> float:
    """Return the peak in bytes that `noisygrpo check --plan` forecasts for one device."""
    from noisygrpo.check.memory import device_load, memory_share
    from noisygrpo.check.model_size import model_size

    trainer = steps.trainer
    model = trainer.accelerator.unwrap_model(trainer.model)
    size = model_size(model, model.config.get_text_config())
    half = job.dtype in ("bfloat16", "float16")
    load = device_load(
        trainer.args,
        1,
        prompt_tokens=job.prompt,
        patches=4 * job.image_tokens,
        width=size.width,
        half=half,
        lora=job.lora,
    )
    load = replace(load, generates=job.whole)
    return memory_share("ddp", size, load, gpu=0.0).peak


# ---- sampling alone ----


def sampled(part: Part, until: float) -> dict[str, Any]:
    """Return completion tokens per second of each round after the first, by ``rate``."""
    job = part.job
    if job.kind == "vllm":  # before all that imports Transformers
        require_vllm(job.device)
    from noisygrpo.evaluation.generate import Generation

    settings = Generation(batch_size=1024, max_new_tokens=job.completion, temperature=1.0)
    with tempfile.TemporaryDirectory() as folder:
        answer = ENGINES[job.kind](job, Path(folder), settings)
    rows = [build_row(job, number) for number in range(job.prompts) for _ in range(job.group)]
    rate(answer, rows)  # warm
    rates: list[float] = []
    while not rates or (len(rates) < part.rounds and time.monotonic() < until):
        rates.append(rate(answer, rows))
    return {"rates": rates, "tokens_per_second": statistics.median(rates)}


def generate(job: Job, folder: Path, settings: Any) -> Callable[..., Any]:
    """Transformers' ``generate``, as evaluation and training without vLLM use it."""
    import torch

    from noisygrpo.evaluation.generate import generate_batch

    processor = build_processor()
    model = build_model(job, processor.tokenizer).eval()

    def answer(rows: Any) -> Any:
        with torch.no_grad():
            return generate_batch(model, processor, rows, settings)

    return answer


def vllm(job: Job, folder: Path, settings: Any) -> Callable[..., Any]:
    """vLLM on the same shapes; it makes up the weights itself."""
    from stock_folder import write_stock_processor

    from noisygrpo.evaluation.vllm_engine import vllm_answers

    processor = build_processor()
    config = build_model(replace(job, device="meta"), processor.tokenizer).config
    config.architectures = ["Qwen2_5_VLForConditionalGeneration"]
    config.save_pretrained(folder)
    write_stock_processor(processor, folder)
    options = {
        "load_format": "dummy",
        "dtype": job.dtype,
        "max_model_len": 64 + job.prompt + job.completion,
        "mm_processor_cache_gb": 0,  # every rollout of a noisy group is a new image
    }
    if job.device == "cpu":
        options["enforce_eager"] = True
    return vllm_answers(str(folder), processor, config, settings, **options)


def require_vllm(device: str) -> None:
    """See that vLLM is there and can be imported."""
    from noisygrpo.errors import require
    from noisygrpo.models.versions import remedy

    found = importlib.util.find_spec("vllm") is not None
    require(found, f"vLLM is not installed: {remedy('vllm')}")
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # what it says about memory is said here
    sys.path.insert(0, str(TESTS))
    if device == "cpu":
        importlib.import_module("conftest")  # makes a build for CPUs importable


ENGINES = {"generate": generate, "vllm": vllm}
MEASURES = {"update": trained, "step": trained, "rollouts": sampled}
