"""``noisygrpo check RECIPE``: look at data, rewards and memory before paying for a run.

With ``--plan`` only arithmetic: does it fit on so many GPUs, and how long will a step take.
"""

from __future__ import annotations

import argparse

SUMMARY = "Check a recipe: targets, rewards, batch arithmetic, image tokens, memory, one rollout."
TAKES_RECIPE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument(
        "recipe", help="a shipped recipe's name (see `noisygrpo recipes`) or a .yaml file"
    )
    parser.add_argument(
        "--rows", type=int, default=20, help="how many rows are looked at (default: 20)"
    )
    parser.add_argument(
        "--no-rollout", action="store_true", help="do not load the weights and run one rollout"
    )

    plan = parser.add_argument_group("plan, instead of the other checks")
    plan.add_argument(
        "--plan", action="store_true", help="print memory of each GPU, tokens and time of a step"
    )
    plan.add_argument("--gpus", type=int, default=1, help="how many (default: 1)")
    plan.add_argument(
        "--gpu-memory", type=float, default=80, metavar="GB", help="of each (default: 80)"
    )
    plan.add_argument("--measured", metavar="RUN", help="folder of a run whose speed is taken")
    plan.add_argument(
        "--tokens-per-second", type=float, metavar="N", help="completion tokens, on each GPU"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from noisygrpo.recipes.recipe import load_recipe
    from noisygrpo.runs.console import quiet_libraries

    quiet_libraries()
    recipe = load_recipe(args.recipe, args.overrides)
    if args.plan:
        from noisygrpo.check.plan import Request, check_plan

        wanted = Request(args.gpus, args.gpu_memory, args.measured, args.tokens_per_second)
        return check_plan(recipe, wanted, rows=args.rows)
    from noisygrpo.check.recipe import check

    return check(recipe, rows=args.rows, rollout=not args.no_rollout)
