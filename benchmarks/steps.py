"""One process's trainer, which makes an update or a whole step when it is told to, and its price.

The one place where a step is timed: ``update_step.py`` lets two such processes take turns,
``gpu_figures.py`` gives each the card for itself. Models are random, pictures are noise.

- An update (``whole`` off): completions are given, and scored once. Every call makes loss,
  backward, gradient norm and optimizer step on them.
- A whole step: ``prompts`` groups are sampled with Transformers' ``generate``, every completion to
  the same number of tokens, then rewards, advantages and one update in as many micro-batches.
"""

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playground_step import VIEWS
from shapes import SIZES, Job

QUESTION = "How many squares are in the picture? Answer with one number."
NOISE = {"method": "noisygrpo", "noise_levels": [0.0, 0.1, 0.2, 0.3]}
KINDS: dict[str, dict[str, Any]] = {
    "trl": {},
    "grpo": {},
    "noisygrpo": NOISE,
    "papo": VIEWS["papo"],
    "papo_exact": VIEWS["papo_exact"],
}
"""``trl.GRPOTrainer``; and ours with ``shared_prefix``, by what it is set to."""


@dataclass(frozen=True)
class Spent:
    """What one update, or one step, took."""

    seconds: float
    added: int
    """Bytes at its highest, above what the process held before."""
    peak: int
    """Bytes at its highest: of the card as torch allocates them, else of the process."""
    norm: float
    """Of the gradient."""


class Steps:
    """A trainer for a job; ``make`` makes one update, or one whole step."""

    def __init__(self, job: Job, folder: str) -> None:
        import torch

        torch.set_num_threads(job.threads)
        self.job, self.trainer = job, build_trainer(job, folder)
        self.model = self.trainer.model.train()
        if job.checkpointing:  # ``Trainer.train``, which is not called here, would switch it on
            options = self.trainer.args.gradient_checkpointing_kwargs
            core = self.trainer.accelerator.unwrap_model(self.model)
            core.gradient_checkpointing_enable(gradient_checkpointing_kwargs=options)
        self.rows = [build_row(job, n) for n in range(job.prompts) for _ in range(job.group)]
        self._trained = [p for p in self.model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(self._trained, lr=1e-6)
        if not job.whole:
            self.trainer._prepare_inputs(self.rows)
            self.trainer._step = 1

    def make(self) -> Spent:
        """Make it, and wait until the device has done it."""
        import torch

        shared = self.trainer._scorer.shared if self.job.kind != "trl" else None
        if shared is not None:  # a frozen tower is run in every step, so in every update here
            shared.images.start(shared.images.room)
        before = memory(self.job.device, reset=True)
        started = time.perf_counter()
        for _ in range(self.job.prompts):
            self.trainer.training_step(self.model, self.rows, None)
        grads = [p.grad for p in self._trained if p.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(grads))
        self._optimizer.step()
        self._optimizer.zero_grad()
        if self.job.device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - started
        if self.job.whole:
            self.trainer.state.global_step += 1
        peak = memory(self.job.device)
        return Spent(seconds, peak - before, peak, norm)


@contextmanager
def stepping(job: Job) -> Iterator[Steps]:
    """Within this context a job's trainer has a folder to write into."""
    with TemporaryDirectory() as folder:
        yield Steps(job, folder)


def build_model(job: Job, tokenizer: Any) -> Any:
    import torch
    from transformers import AutoModelForImageTextToText, Qwen2_5_VLConfig

    ids = tokenizer.convert_tokens_to_ids
    text, vision = SIZES[job.size]["text"], SIZES[job.size]["vision"]
    channels = text["hidden_size"] // text["num_attention_heads"]
    sections = [channels // 2 - 2 * (channels * 3 // 16), *[channels * 3 // 16] * 2]
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": sections}
    config = Qwen2_5_VLConfig(
        text_config={**text, "rope_parameters": rope, "eos_token_id": ids("<|im_end|>"),
                     "pad_token_id": ids("<|endoftext|>"), "bos_token_id": None},
        vision_config={**vision, "out_hidden_size": text["hidden_size"]},
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
        tie_word_embeddings=SIZES[job.size].get("tied", True),
    )  # fmt: skip
    torch.manual_seed(0)
    with torch.device(job.device):
        return AutoModelForImageTextToText.from_config(config, dtype=getattr(torch, job.dtype))


def build_processor() -> Any:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from noisygrpo.playground.model import CHAT_TEMPLATE, PlaygroundProcessor, build_tokenizer

    images = Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=28 * 28 * 16384)
    return PlaygroundProcessor(images, build_tokenizer([QUESTION]), chat_template=CHAT_TEMPLATE)


def build_row(job: Job, number: int = 0) -> dict[str, Any]:
    import numpy as np
    from PIL import Image

    width, height = job.image_size
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return {
        "prompt": [{"role": "user", "content": QUESTION}],
        "images": [Image.fromarray(pixels)],
        "answer": "3",
        "reasoning": "",
        "example_id": str(number),
        "cluster": str(number),
        "kind": "",
        "question": QUESTION,
    }


def build_trainer(job: Job, folder: str) -> Any:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    from noisygrpo.training.config import NoisyGRPOConfig
    from noisygrpo.training.trainer import NoisyGRPOTrainer

    processor = build_processor()
    model = build_model(job, processor.tokenizer)
    if job.freeze:
        model.get_encoder(modality="image").requires_grad_(False)
    lora = None
    if job.lora:
        from peft import LoraConfig

        lora = LoraConfig(r=16, lora_alpha=32, target_modules=".*language_model.*_proj")
    ours = job.kind != "trl"
    settings = {"output_dir": folder, **trainer_settings(job, model.config)}
    trainer = (NoisyGRPOTrainer if ours else GRPOTrainer)(
        model=model,
        reward_funcs=[lambda completions, **_: [float(i % 2) for i in range(len(completions))]],
        args=(NoisyGRPOConfig if ours else GRPOConfig)(**settings),
        train_dataset=Dataset.from_list([build_row(job, n) for n in range(job.prompts)]),
        processing_class=processor,
        peft_config=lora,
    )
    if not job.whole:
        trainer._generate_single_turn = lambda ids, *_, **__: (completions(job, len(ids)), None)
    trainer.current_gradient_accumulation_steps = job.prompts
    return trainer


def trainer_settings(job: Job, config: Any) -> dict[str, Any]:
    """Return what TRL's configuration, or ours, is made of."""
    settings: dict[str, Any] = {
        "per_device_train_batch_size": job.group,
        "gradient_accumulation_steps": job.prompts,
        "num_generations": job.group,
        "max_completion_length": job.completion,
        "num_iterations": 1 if job.whole else 10**6,  # an update: one batch for all of them
        "gradient_checkpointing": job.checkpointing,
        "bf16": job.dtype == "bfloat16",
        "use_cpu": job.device == "cpu",
        "report_to": [],
        "disable_tqdm": True,
    }
    if job.whole:
        special = [config.image_token_id, config.video_token_id, config.vision_start_token_id]
        # A random model may sample what stands for a picture; ours bans these by itself.
        settings["generation_kwargs"] = {"min_new_tokens": job.completion} | (
            {"suppress_tokens": special} if job.kind == "trl" else {}
        )
    if job.kind != "trl":
        settings |= {"shared_prefix": True, "rollouts_format": "none", **KINDS[job.kind]}
        settings |= {"shared_prefix_kernel": job.kernel, "freeze_vision_tower": job.freeze}
        settings |= {"shared_prefill": job.prefill}
    return settings


def completions(job: Job, rows: int) -> list[list[int]]:
    import numpy as np

    return np.random.default_rng(1).integers(0, 200, (rows, job.completion)).tolist()


def memory(device: str, reset: bool = False) -> int:
    """Return bytes at the highest since the last reset (then: bytes now, and reset)."""
    if device == "cuda":
        import torch

        if reset:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            return torch.cuda.memory_allocated()
        return torch.cuda.max_memory_allocated()
    if reset:  # Linux: give freed memory back, then let the high-water mark start anew
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    field = "VmRSS" if reset else "VmHWM"
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
