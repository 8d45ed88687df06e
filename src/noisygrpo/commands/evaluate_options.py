"""The options of ``noisygrpo evaluate``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

DECODING = (
    "batch_size", "max_new_tokens", "temperature", "top_p", "seed", "text_bias_scale",
    "repetition_penalty",
)  # fmt: skip
"""Options that are fields of ``Generation``."""
VIEW = ("noise_level", "noise_kind", "noise_at", "text_only", "max_pixels", "min_pixels")
"""Options about what the model is shown."""
BENCHMARK = (
    "prompt", "system", "image_root", "engine", "robustness", "levels", "judge_url", "judge_model",
    "judge_workers", "judge_key",
)  # fmt: skip
"""Options that a benchmark alone has; like all above they are fields of ``EvaluationRequest``."""


VLLM = ("tensor_parallel_size", "max_model_len", "gpu_memory_utilization")
"""Arguments of vLLM's engine that have an option; ``--vllm.NAME`` gives any other."""


def given_options(args: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """The options that were given, by name."""
    return {name: vars(args)[name] for name in names if vars(args)[name] is not None}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``evaluate``."""
    parser.add_argument("--model", metavar="DIR", help="playground, a folder, or a hub id (needed)")
    parser.add_argument(
        "--recipe",
        help="without --benchmark: whose data and evaluation sections count (default: those of the "
        "run that the model came from, else playground)",
    )
    parser.add_argument("--split", nargs="+", default=[], help="splits instead of the default ones")
    parser.add_argument("--rows", type=int, help="at most so many rows of each split")
    parser.add_argument("--output-dir", help="default: runs/evaluation/<model>[/<benchmark>]")
    parser.add_argument(
        "--overwrite", action="store_true", help="start anew where the folder holds an evaluation"
    )
    _add_decoding(parser.add_argument_group("decoding"))
    _add_view(parser.add_argument_group("what the model sees"))
    _add_benchmark(parser.add_argument_group("on a benchmark"))
    _add_vllm(parser.add_argument_group("with --engine vllm"))


def _add_decoding(group: Any) -> None:
    group.add_argument(
        "--batch-size", type=int, help="rows that decode together (the recipe's, else 32)"
    )
    group.add_argument("--max-new-tokens", type=int, help="the benchmark's, or the recipe's")
    group.add_argument("--temperature", type=float, help="0 is greedy (the recipe's, else 0)")
    group.add_argument("--top-p", type=float, help="nucleus mass of sampling (default: 1)")
    group.add_argument("--seed", type=int, help="of sampling and of noise (default: 0)")
    group.add_argument(
        "--text-bias-scale", type=float, help="text-bias calibration; 0 (default) is off"
    )
    group.add_argument(
        "--repetition-penalty", type=float, help="of tokens that are there already; 1 is none"
    )


def _add_view(group: Any) -> None:
    group.add_argument("--noise-level", type=float, help="noise on the images, 0 to 1")
    group.add_argument("--noise-kind", help="gaussian (default), another, or path.py:function")
    group.add_argument(
        "--noise-at",
        help="noise on the image within the model's pixel limits (model, default) or the file's "
        "own (file)",
    )
    group.add_argument("--text-only", action="store_true", default=None, help="without the images")
    group.add_argument("--max-pixels", type=int, help="scale larger images down")
    group.add_argument("--min-pixels", type=int, help="scale smaller images up")


def _add_benchmark(group: Any) -> None:
    group.add_argument(
        "--benchmark", metavar="NAMES", help="one, or several with commas; see --list-benchmarks"
    )
    group.add_argument("--list-benchmarks", action="store_true", help="print them, and end")
    group.add_argument("--data", metavar="PATH", help="a local copy of the benchmark's data")
    group.add_argument("--image-root", metavar="DIR", help="what image paths are relative to")
    group.add_argument("--prompt", help="official (default), a prompt's name, or a text")
    group.add_argument("--system", help="a system turn: its text, or a name")
    group.add_argument("--engine", help="hf (default) or vllm")
    group.add_argument(
        "--robustness",
        nargs="*",
        metavar="KIND",
        help="measure accuracy against these noises and corruptions (default: gaussian), and "
        "without images; all takes every kind",
    )
    group.add_argument(
        "--levels", nargs="+", type=float, help="of the curve (default: 0 0.2 0.4 0.6 0.8 1)"
    )
    group.add_argument("--judge-url", help="OpenAI-compatible endpoint, a second judge")
    group.add_argument("--judge-model", help="its model")
    group.add_argument(
        "--judge-workers", "--eval-threads", type=int, help="requests at once (default: 8)"
    )
    group.add_argument(
        "--judge-key",
        metavar="VARIABLE",
        help="environment variable with its key (default: OPENAI_API_KEY)",
    )
    group.add_argument(
        "--lmms-eval", metavar="DIR", help="also write the result in lmms-eval's files there"
    )


def _add_vllm(group: Any) -> None:
    group.add_argument("--tensor-parallel-size", type=int, help="GPUs that share the model")
    group.add_argument("--max-model-len", type=int, help="longest prompt and answer, in tokens")
    group.add_argument(
        "--gpu-memory-utilization", type=float, help="share of each GPU's memory that it takes"
    )
