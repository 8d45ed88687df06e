"""A stand-in for vLLM, whose every answer is 4."""

import dataclasses
import sys
import types
from importlib.machinery import ModuleSpec


@dataclasses.dataclass
class EngineArgs:
    """What this package reads of vLLM's own: fields with types, and a check of the values."""

    model: str = ""
    seed: int = 0
    limit_mm_per_prompt: "NotImported" = None  # noqa: F821  vLLM has such types
    max_model_len: int = None
    max_num_seqs: int | None = None
    tensor_parallel_size: int = 1
    dtype: str = "auto"
    trust_remote_code: bool = False
    mm_processor_kwargs: dict | None = None
    gpu_memory_utilization: float = 0.9
    kv_cache_dtype: str = "auto"

    def create_engine_config(self):
        if self.max_model_len is not None and self.max_model_len == 4096:
            raise ValueError("User-specified max_model_len (4096) is greater\nthan the model's")


def install(monkeypatch):
    """Put the stand-in where vLLM is imported from; returns what it will have been given."""
    given = {}

    class LLM:
        def __init__(self, **options):
            given["engine"] = options

        def generate(self, requests, sampling, use_tqdm):
            given["requests"], given["sampling"] = requests, sampling
            done = types.SimpleNamespace(text="4", token_ids=[1, 2], finish_reason="length")
            return [types.SimpleNamespace(outputs=[done]) for _ in requests]

    fake, arguments = types.ModuleType("vllm"), types.ModuleType("vllm.engine.arg_utils")
    fake.LLM, fake.SamplingParams = LLM, lambda **options: options
    arguments.EngineArgs = EngineArgs
    fake.__spec__ = ModuleSpec("vllm", None)  # who asks whether vLLM is installed
    for name, module in {"vllm": fake, "vllm.engine": fake, arguments.__name__: arguments}.items():
        monkeypatch.setitem(sys.modules, name, module)
    return given
