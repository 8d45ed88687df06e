"""Whole steps on the playground: TRL's GRPO, ours, and NoisyGRPO, in turn; and where ours go.

    python benchmarks/playground_step.py                       # ratios and a profile
    python benchmarks/playground_step.py --completion 32 --rounds 12

Each of the processes holds the shipped model, the playground's recipe and the same prompts:

- ``trl``        ``trl.GRPOTrainer`` on the model as Transformers loads it
- ``trl+vision`` the same with the vision tower's windows attended in one call, as our loader does
- ``grpo``       ours, ``method: grpo``, ``shared_prefix: true``
- ``rows``       the same with ``shared_prefix: false``
- ``prefill``    ours, ``method: grpo``, with ``shared_prefill: true`` as well
- ``noisygrpo``  ours, ``method: noisygrpo``, ``shared_prefix: true``
- ``noisygrpo+prefill``  the same with ``shared_prefill: true`` as well

and, where ``--kinds`` names them, ``grpo`` with a second view (black patches) on top:

- ``metric``     visual dependence of every token, logged and nothing else
- ``papo``, ``papo_exact``, ``vppo``, ``vision_matters``  the methods, with equal tokens
- ``all``        NoisyGRPO with ``score_view: all``
- ``corrected``  NoisyGRPO with ``view_correction: truncated``; ``rescored`` the same where views
  are scored by a forward of their own, not taken from sampling

Beside each ratio stand the distinct prompts that were read to sample: pictures of a rollout's own
are read by nobody else, so that is what ``shared_prefill`` cannot share.

A step is sampling, rewards, advantages, update. Every completion has the same number of tokens (no
end before the limit), and the learning rate is 0, so that the clean processes sample the very same
text in every round. All of them step in turn, so that whatever else the machine does hits all;
where that is a lot, ``--cpu`` counts the processor's seconds instead of the clock's.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from typing import Any

KINDS = ("trl", "trl+vision", "rows", "grpo", "prefill", "noisygrpo", "noisygrpo+prefill")
LEVELS = [0.0, 0.1, 0.2, 0.3]
CORRECTED = {"method": "noisygrpo", "noise_levels": LEVELS, "view_correction": "truncated"}
VIEWS: dict[str, dict[str, Any]] = {
    "metric": {"second_view": "black_patches", "second_level": 0.6},
    "metric, text": {"second_view": "text"},
    "papo": {"method": "papo"},
    "papo_exact": {"method": "papo_exact"},
    "vppo": {"method": "vppo"},
    "vision_matters": {"method": "vision_matters", "noise_kind": "gaussian", "noise_levels": [0.3]},
    "all": {"method": "noisygrpo", "noise_levels": LEVELS, "score_view": "all"},
    "corrected": CORRECTED,
    "rescored": CORRECTED,
}
PARTS = ("noise", "generate", "reward", "score", "second_view", "view_ratio", "update")


def build_trainer(kind: str, args: argparse.Namespace, folder: str) -> Any:
    from transformers import AutoModelForImageTextToText
    from trl import GRPOConfig, GRPOTrainer

    from noisygrpo.models.loading import ModelSpec, load_any_processor, load_model
    from noisygrpo.playground import make_split
    from noisygrpo.rewards.load import load_rewards
    from noisygrpo.training.config import NoisyGRPOConfig
    from noisygrpo.training.trainer import NoisyGRPOTrainer

    spec = ModelSpec(path="playground")
    processor = load_any_processor(spec)
    model = load_model(spec, train=True)
    if kind == "trl":
        model = AutoModelForImageTextToText.from_pretrained(model.name_or_path, dtype="float32")
    rows = make_split("train", args.prompts * (args.rounds + 2))
    settings: dict[str, Any] = {
        "output_dir": folder,
        "per_device_train_batch_size": args.prompts * 8 // 2,
        "gradient_accumulation_steps": 2,
        "num_generations": 8,
        "max_completion_length": args.completion,
        "generation_kwargs": {"min_new_tokens": args.completion},
        "gradient_checkpointing": False,
        "bf16": False,
        "use_cpu": True,
        "report_to": [],
        "disable_tqdm": True,
        "seed": 0,
    }
    rewards, _ = load_rewards([{"name": "accuracy"}, {"name": "format"}])
    if kind.startswith("trl"):
        return GRPOTrainer(
            model=model,
            reward_funcs=rewards,
            args=GRPOConfig(**settings),
            train_dataset=rows,
            processing_class=processor,
        )
    method: dict[str, Any] = {"method": "grpo", "shared_prefix": kind != "rows"}
    if kind.startswith("noisygrpo"):
        method |= {"method": "noisygrpo", "noise_levels": LEVELS}
    method |= VIEWS.get(kind, {})
    method["shared_prefill"] = kind.endswith("prefill")
    config = NoisyGRPOConfig(**settings, **method, rollouts_format="none")
    trainer = NoisyGRPOTrainer(model, rewards, config, rows, processing_class=processor)
    if kind == "rescored":
        trainer._engine.temperature = None
    return trainer


def count_prompts(model: Any) -> list[int]:
    """Return a list that ``model.generate`` appends to: how many prompts it read, each call."""
    read: list[int] = []
    rows: list[int] = []
    generate = model.generate

    def note(module: Any, args: Any, output: Any) -> None:
        if output.size(1) > 1:
            rows.append(len(output))

    def counted(*args: Any, **kwargs: Any) -> Any:
        rows.clear()
        hook = model.get_input_embeddings().register_forward_hook(note)
        try:
            return generate(*args, **kwargs)
        finally:
            hook.remove()
            read.append(max(rows))  # the texts before their pictures are rows of fewer tokens

    model.generate = counted
    return read


def work(kind: str, args: argparse.Namespace, pipe: Any) -> None:
    """Build a trainer, then make one whole step per message and answer with its seconds."""
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import torch

    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(kind, args, folder)
        model = trainer.model.train()
        read = count_prompts(model)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.0)
        trainer.current_gradient_accumulation_steps = 2
        batches = iter(trainer.get_train_dataloader())
        pipe.send("ready")
        while pipe.recv() == "step":
            clock = time.process_time if args.cpu else time.perf_counter
            started = clock()
            for _ in range(2):
                trainer.training_step(model, next(batches), None)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            seconds = clock() - started
            trainer.state.global_step += 1
            metrics = trainer._metrics["train"]
            parts = {
                name: metrics[f"time/{name}"][-1] for name in PARTS if f"time/{name}" in metrics
            }
            pipe.send((seconds, parts, read[-1]))


Rounds = list[tuple[float, dict[str, float], int]]
"""Seconds of each step, of its parts, and the prompts that were read to sample."""


def measure(args: argparse.Namespace) -> dict[str, Rounds]:
    """Return what each kind took in each round after one to warm up."""
    context = multiprocessing.get_context("spawn")
    ends = {}
    for kind in args.kinds:
        here, there = context.Pipe()
        context.Process(target=work, args=(kind, args, there), daemon=True).start()
        there.close()
        if here.recv() != "ready":
            raise RuntimeError(f"{kind}: the process did not start")
        ends[kind] = here
    results: dict[str, Rounds] = {kind: [] for kind in ends}
    for _ in range(args.rounds + 1):
        for kind, end in ends.items():
            end.send("step")
            results[kind].append(end.recv())
    for end in ends.values():
        end.send("stop")
    return {kind: found[1:] for kind, found in results.items()}


def print_ratios(seconds: dict[str, list[float]], read: dict[str, int]) -> None:
    print(f"\n{'':28} {'median':>7} {'least':>7} {'most':>7}   prompts read")
    pairs = [("trl", "grpo"), ("trl+vision", "grpo"), ("rows", "grpo"), ("noisygrpo", "grpo")]
    pairs += [("grpo", "prefill"), ("trl", "prefill"), ("noisygrpo", "noisygrpo+prefill")]
    pairs += [("noisygrpo+prefill", "prefill"), *((kind, "grpo") for kind in VIEWS)]
    for one, other in pairs:
        if one in seconds and other in seconds:
            ratios = [a / b for a, b in zip(seconds[one], seconds[other], strict=True)]
            print(
                f"{one + ' / ' + other:28} {statistics.median(ratios):>7.2f} "
                f"{min(ratios):>7.2f} {max(ratios):>7.2f}   {read[one]} / {read[other]}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=(*KINDS, *VIEWS), default=KINDS)
    parser.add_argument("--prompts", type=int, default=4, help="per step; eight rollouts each")
    parser.add_argument("--completion", type=int, default=64, help="tokens of every completion")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu", action="store_true", help="steps in seconds of the processor")
    args = parser.parse_args()
    print(__doc__.splitlines()[0])
    print(" ".join(f"{key}={value}" for key, value in vars(args).items()))
    found = measure(args)
    seconds = {kind: [one[0] for one in rounds] for kind, rounds in found.items()}
    print(f"\n{'median seconds':17} {'step':>7} " + " ".join(f"{name:>11}" for name in PARTS))
    for kind, rounds in found.items():
        parts = [
            f"{statistics.median(p.get(name, 0.0) for _, p, _ in rounds):>11.3f}"
            if rounds[0][1]
            else f"{'':>11}"
            for name in PARTS
        ]
        print(f"{kind:17} {statistics.median(seconds[kind]):>7.3f} " + " ".join(parts))
    print_ratios(seconds, {kind: rounds[-1][2] for kind, rounds in found.items()})


if __name__ == "__main__":
    main()
