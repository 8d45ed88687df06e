"""``noisygrpo check RECIPE``: look at data, rewards and memory before paying for a run.

With ``--plan`` only arithmetic: does it fit on so many GPUs, and how long will a step take.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from noisygrpo.errors import require

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
    parser.add_argument(
        "--no-step",
        action="store_true",
        help="do not build the trainer and train a step, on a small model of the same kind",
    )

    parser.add_argument(
        "--show",
        metavar="DIR",
        help="also write a page of what the rollouts of these rows would see, and its cost in "
        "tokens",
    )
    plan = parser.add_argument_group("plan, instead of the other checks")
    plan.add_argument(
        "--plan", action="store_true", help="print memory of each GPU, tokens and time of a step"
    )
    plan.add_argument("--gpus", type=int, help="how many (default: 1)")
    plan.add_argument("--gpu-memory", type=float, metavar="GB", help="of each (default: 80)")
    plan.add_argument("--measured", metavar="RUN", help="folder of a run whose speed is taken")
    plan.add_argument(
        "--tokens-per-second", type=float, metavar="N", help="completion tokens, on each GPU"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from noisygrpo.recipes.recipe import load_recipe
    from noisygrpo.recipes.settings import check_settings

    require(args.rows > 0, f"--rows: {args.rows} is not positive")
    require(not (args.plan and args.show), "--show: --plan is arithmetic, it looks at no row")
    _require_plan(args)
    # What is planned here may run elsewhere, where the packages are.
    recipe = load_recipe(args.recipe, args.overrides, partial(check_settings, here=not args.plan))

    # Only now what takes seconds: a mistake above is told at once.
    from noisygrpo.runs.console import quiet_libraries

    quiet_libraries()
    if args.plan:
        from noisygrpo.check.plan import Request, check_plan

        gpus = 1 if args.gpus is None else args.gpus
        memory = 80.0 if args.gpu_memory is None else args.gpu_memory
        wanted = Request(gpus, memory, args.measured, args.tokens_per_second)
        return check_plan(recipe, wanted, rows=args.rows)
    from noisygrpo.check.recipe import check

    show = Path(args.show) if args.show else None
    return check(
        recipe, rows=args.rows, step=not args.no_step, rollout=not args.no_rollout, show=show
    )


def _require_plan(args: argparse.Namespace) -> None:
    """An option of the plan changes nothing without it."""
    for name in ("gpus", "gpu_memory", "measured", "tokens_per_second"):
        value = getattr(args, name)
        option = f"--{name.replace('_', '-')}"
        require(args.plan or value is None, f"{option}: {value} has no effect without --plan")
