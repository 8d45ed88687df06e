"""``noisygrpo merge ADAPTER``: the base model with a trained adapter in it, as a plain model.

    W_merged = W + (lora_alpha / r) * B A          (Hu et al. 2021, arXiv 2106.09685, eq. 3)

The sum is formed in float32 and rounded once, to the type that the base is stored in (or
``--dtype``), so the merged model agrees with model and adapter up to that rounding. An adapter that
was trained on a quantised base is added to the weights before quantisation, as is usual; it then
differs from what was trained by the base's quantisation error.
"""

from __future__ import annotations

import argparse

from noisygrpo.terminal import say

SUMMARY = "Merge a LoRA adapter into its base model: one folder that loads everywhere."
TAKES_RECIPE = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("adapter", help="a folder with an adapter, such as runs/NAME/checkpoint")
    parser.add_argument("--output-dir", required=True, help="where the model goes; a new folder")
    parser.add_argument(
        "--dtype",
        default="auto",
        choices=["auto", "float32", "bfloat16", "float16"],
        help="type of the weights written (default: the one that the base is stored in)",
    )
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="run code that comes with the base"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from noisygrpo.models.merge import merge_adapter
    from noisygrpo.runs.console import quiet_libraries

    quiet_libraries()
    folder = merge_adapter(
        args.adapter, args.output_dir, dtype=args.dtype, trust_remote_code=args.trust_remote_code
    )
    say(f"the merged model is in {folder}")
    return 0
