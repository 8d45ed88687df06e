"""Update step, ours against TRL's: time, peak memory, and the limit that the shapes set.

    python benchmarks/update_step.py                     # the whole table
    python benchmarks/update_step.py --groups 8 --image-tokens 1024 --rounds 5
    python benchmarks/update_step.py --size 3b --dtype bfloat16 --device cuda [--lora]

For every group size and image size two processes hold the same random Qwen2.5-VL, the same prompt,
image, completions and rewards: one trains with ``trl.GRPOTrainer``, one with ``NoisyGRPOTrainer``
and ``shared_prefix: true``. They make the same update (loss, backward, gradient norm, optimizer
step) in turn, so that whatever else the machine does hits both. Completions are given, not sampled.

The ratio is TRL's time over ours in each round: median, least, greatest. ``limit`` is the ratio of
floating point operations that rows and groups need (matrix products and attention scores, forward
and backward, LM head at completion tokens only). Peak memory is what an update adds to the process
at its highest. ``norm`` is the largest relative difference of the two gradient norms.
"""

import argparse
import ctypes
import multiprocessing
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from shapes import SIZES, Job, operations

# ---- one process: a trainer that makes an update when it is told to ----


def build_model(job: Job, tokenizer: Any) -> Any:
    import torch
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

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
        tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(0)
    with torch.device(job.device):
        return Qwen2_5_VLForConditionalGeneration(config).to(getattr(torch, job.dtype))


def build_processor() -> Any:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from noisygrpo.playground.model import CHAT_TEMPLATE, PlaygroundProcessor, build_tokenizer

    tokenizer = build_tokenizer(["How many squares are in the picture? Answer with one number."])
    images = Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=28 * 28 * 16384)
    return PlaygroundProcessor(images, tokenizer, chat_template=CHAT_TEMPLATE)


def build_row(job: Job) -> dict[str, Any]:
    import numpy as np
    from PIL import Image

    width, height = job.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    question = "How many squares are in the picture? Answer with one number."
    return {
        "prompt": [{"role": "user", "content": question}],
        "images": [Image.fromarray(pixels)],
        "answer": "3",
        "reasoning": "",
        "example_id": "0",
        "cluster": "0",
        "kind": "",
        "question": question,
    }


def build_trainer(job: Job, ours: bool, folder: str) -> Any:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    from noisygrpo.training.config import NoisyGRPOConfig
    from noisygrpo.training.trainer import NoisyGRPOTrainer

    processor = build_processor()
    model = build_model(job, processor.tokenizer)
    if job.freeze:
        model.get_encoder(modality="image").requires_grad_(False)
    settings: dict[str, Any] = {
        "output_dir": folder,
        "per_device_train_batch_size": job.group,
        "num_generations": job.group,
        "max_completion_length": job.completion,
        "num_iterations": 10**6,  # one batch for all updates
        "gradient_checkpointing": job.checkpointing,
        "bf16": False,
        "use_cpu": job.device == "cpu",
        "report_to": [],
        "disable_tqdm": True,
    }
    if ours:
        settings |= {"shared_prefix": True, "rollouts_format": "none"}
        settings |= {"shared_prefix_kernel": job.kernel}
    lora = None
    if job.lora:
        from peft import LoraConfig

        lora = LoraConfig(r=16, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"])
    trainer = (NoisyGRPOTrainer if ours else GRPOTrainer)(
        model=model,
        reward_funcs=[lambda completions, **columns: [float(i % 2) for i in range(job.group)]],
        args=(NoisyGRPOConfig if ours else GRPOConfig)(**settings),
        train_dataset=Dataset.from_list([build_row(job)]),
        processing_class=processor,
        peft_config=lora,
    )
    trainer._generate_single_turn = lambda ids, *rest, **more: (completions(job, len(ids)), None)
    trainer.current_gradient_accumulation_steps = 1
    return trainer


def completions(job: Job, rows: int) -> list[list[int]]:
    import numpy as np

    return np.random.default_rng(1).integers(0, 200, (rows, job.completion)).tolist()


def work(job: Job, ours: bool, pipe: Any) -> None:
    """Build a trainer, then make one update per message and answer with what it cost."""
    os.environ["OMP_NUM_THREADS"] = str(job.threads)
    import torch

    torch.set_num_threads(job.threads)
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(job, ours, folder)
        model = trainer.model.train()
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-6)
        rows = [build_row(job)] * job.group
        trainer._prepare_inputs(rows)
        trainer._step = 1
        pipe.send("ready")
        while pipe.recv() == "update":
            before = memory(job.device, reset=True)
            started = time.perf_counter()
            trainer.training_step(model, rows, None)
            norm = float(
                torch.nn.utils.get_total_norm(
                    [p.grad for p in model.parameters() if p.grad is not None]
                )
            )
            optimizer.step()
            optimizer.zero_grad()
            if job.device == "cuda":
                torch.cuda.synchronize()
            seconds = time.perf_counter() - started
            pipe.send((seconds, memory(job.device) - before, norm))


def memory(device: str, reset: bool = False) -> int:
    """Return bytes at the highest since the last reset (then: bytes now, and reset)."""
    if device == "cuda":
        import torch

        if reset:
            torch.cuda.reset_peak_memory_stats()
            return torch.cuda.memory_allocated()
        return torch.cuda.max_memory_allocated()
    if reset:  # Linux: give freed memory back, then let the high-water mark start anew
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    field = "VmRSS" if reset else "VmHWM"
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


# ---- the table ----


def measure(job: Job, rounds: int) -> dict[str, float]:
    """Return ratios of TRL to ours over ``rounds`` updates of each, after one to warm up."""
    context = multiprocessing.get_context("spawn")
    ends, processes = [], []
    for ours in (False, True):
        here, there = context.Pipe()
        process = context.Process(target=work, args=(job, ours, there), daemon=True)
        process.start()
        there.close()
        if here.recv() != "ready":
            raise RuntimeError("a process did not start")
        ends.append(here)
        processes.append(process)
    results = []
    for _ in range(rounds + 1):
        pair = []
        for end in ends:
            end.send("update")
            pair.append(end.recv())
        results.append(pair)
    for end, process in zip(ends, processes, strict=True):
        end.send("stop")
        process.join()
    return summary(results[1:])


def summary(results: list[list[tuple[float, int, float]]]) -> dict[str, float]:
    ratios = [trl[0] / ours[0] for trl, ours in results]
    return {
        "trl_s": statistics.median(trl[0] for trl, _ in results),
        "ours_s": statistics.median(ours[0] for _, ours in results),
        "ratio": statistics.median(ratios),
        "least": min(ratios),
        "greatest": max(ratios),
        "trl_gb": max(trl[1] for trl, _ in results) / 1e9,
        "ours_gb": max(ours[1] for _, ours in results) / 1e9,
        "norm": max(abs(t[2] - o[2]) / max(abs(t[2]), 1e-9) for t, o in results),
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="mid")
    parser.add_argument("--groups", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--image-tokens", type=int, nargs="+", default=[128, 512, 1024, 2048])
    parser.add_argument("--completion", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kernel", choices=["sdpa", "flex"], default="sdpa", help="of ours")
    parser.add_argument("--lora", action="store_true")
    parser.add_argument("--freeze", action="store_true", help="train no part of the vision tower")
    parser.add_argument("--checkpointing", action="store_true", help="gradient checkpointing")
    return parser.parse_args()


def main() -> None:
    args = parse()
    print(__doc__.splitlines()[0])
    print(" ".join(f"{key}={value}" for key, value in vars(args).items()))
    print(
        f"{'G':>3} {'image':>6} {'TRL s':>8} {'ours s':>8} {'ratio':>6} {'least':>6} {'most':>6} "
        f"{'limit':>6} {'TRL GB':>7} {'ours GB':>8} {'ratio':>6} {'norm':>8}"
    )
    for group in args.groups:
        for tokens in args.image_tokens:
            known = {k: v for k, v in vars(args).items() if k in Job.__dataclass_fields__}
            job = Job(**{**known, "group": group, "image_tokens": tokens})
            prompt = tokens + 28
            limit = operations(job, prompt, False) / operations(job, prompt, True)
            found = measure(job, args.rounds)
            print(
                f"{group:>3} {tokens:>6} {found['trl_s']:>8.3f} {found['ours_s']:>8.3f} "
                f"{found['ratio']:>6.2f} {found['least']:>6.2f} {found['greatest']:>6.2f} "
                f"{limit:>6.2f} {found['trl_gb']:>7.3f} {found['ours_gb']:>8.3f} "
                f"{found['trl_gb'] / found['ours_gb']:>6.2f} {found['norm']:>8.1e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
