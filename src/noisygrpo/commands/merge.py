"""``noisygrpo merge FOLDER``: one plain model out of parts, an adapter's or a sharded run's.

Of an adapter and its base:

    W_merged = W + (lora_alpha / r) * B A          (Hu et al. 2021, arXiv 2106.09685, eq. 3)

The sum is formed in float32 and rounded once, to the type that the base is stored in (or
``--dtype``), so the merged model agrees with model and adapter up to that rounding. An adapter that
was trained on a quantised base is added to the weights before quantisation, as is usual; it then
differs from what was trained by the base's quantisation error.

Shards (a ``checkpoint-N`` of FSDP or DeepSpeed, a folder of verl's, EasyR1's or NoisyRollout's) are
put together as they are; see ``models.shards``.
"""

from __future__ import annotations

import argparse

from noisygrpo.terminal import say

SUMMARY = "Merge a LoRA adapter into its base, or a checkpoint's shards: one folder for all tools."
TAKES_RECIPE = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument(
        "checkpoint",
        help="a folder with an adapter, such as runs/NAME/checkpoint, or with shards of FSDP, "
        "DeepSpeed or verl, such as runs/NAME/checkpoint-100",
    )
    parser.add_argument(
        "--base",
        default="",
        help="of shards: the model that was trained, if no config.json is there",
    )
    parser.add_argument("--output-dir", required=True, help="where the model goes; a new folder")
    parser.add_argument(
        "--dtype",
        default="auto",
        choices=["auto", "float32", "bfloat16", "float16"],
        help="type of the weights written (default: the one that they are stored in)",
    )
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="run code that comes with the base"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from noisygrpo.models.merge import merge_checkpoint
    from noisygrpo.runs.console import quiet_libraries

    quiet_libraries()
    folder, kind = merge_checkpoint(
        args.checkpoint,
        args.output_dir,
        base=args.base,
        dtype=args.dtype,
        trust_remote_code=args.trust_remote_code,
    )
    said = "the merged model" if kind == "adapter" else f"the model of the shards ({kind})"
    say(f"{said} is in {folder}")
    return 0
