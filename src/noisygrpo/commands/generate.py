"""``noisygrpo generate``: ask a model one question about images of your own."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from noisygrpo.errors import UserError, require
from noisygrpo.terminal import say

if TYPE_CHECKING:
    from PIL import Image

SUMMARY = "Ask a model a question about images."
TAKES_RECIPE = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("--model", default="playground", help="a folder, a hub id, or playground")
    parser.add_argument("--image", nargs="+", default=[], help="image files, in order")
    parser.add_argument("--question", required=True)
    parser.add_argument("--prompt", help="a prompt's name or a text with {question}")
    parser.add_argument("--noise-level", type=float, help="noise on the images, 0 (default) to 1")
    parser.add_argument(
        "--noise-kind", help="a noise's name, or path.py:function (default: gaussian)"
    )
    parser.add_argument(
        "--noise-at",
        help="noise on the image within the model's pixel limits (model, default) or the file's "
        "own (file)",
    )
    parser.add_argument("--temperature", type=float, default=0.0, help="0 (default) is greedy")
    parser.add_argument(
        "--text-bias-scale",
        type=float,
        default=0.0,
        help="text-bias calibration (published 0.8); 0 (default) is off",
    )
    parser.add_argument("--samples", type=int, default=1, help="how many answers")
    parser.add_argument("--max-new-tokens", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0, help="of the noise and of sampling")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from noisygrpo.evaluation.generate import Generation, generate_batch
    from noisygrpo.models.loading import default_device, load_any_processor, load_model
    from noisygrpo.models.spec import ModelSpec
    from noisygrpo.runs.console import quiet_libraries

    quiet_libraries()
    require(args.samples >= 1, f"--samples: {args.samples} is not positive")
    require(
        args.samples == 1 or args.temperature != 0,
        f"--samples: {args.samples} greedy answers are the same one; give a --temperature",
    )
    require(
        args.text_bias_scale == 0 or bool(args.image),
        f"--text-bias-scale: {args.text_bias_scale} compares with and without the image; give one",
    )
    spec = ModelSpec(path=args.model)
    images = [_open(path) for path in args.image]
    _check_noise(args)
    processor = load_any_processor(spec)
    row = {
        "prompt": [
            {"role": "user", "content": _template(args, spec).replace("{question}", args.question)}
        ],
        "images": [_see(one, number, args, processor) for number, one in enumerate(images)],
        "example_id": "generate",
    }
    model = load_model(spec).to(default_device())
    for sample in range(args.samples):
        settings = Generation(
            batch_size=1,
            max_new_tokens=args.max_new_tokens,
            temperature=args.temperature,
            seed=args.seed + sample,
            text_bias_scale=args.text_bias_scale,
        )
        say(generate_batch(model, processor, [row], settings)[0].text)
    return 0


def _template(args: argparse.Namespace, spec: Any) -> str:
    from noisygrpo.data.prompts import resolve_prompt
    from noisygrpo.models.loading import location
    from noisygrpo.playground import PROMPT, is_playground

    if args.prompt is not None:
        return resolve_prompt(args.prompt)
    return PROMPT if is_playground(location(spec)) else resolve_prompt("think_answer")


def _open(path: str) -> Image.Image:
    from PIL import Image

    from noisygrpo.data.images import ImageProblem, check_image
    from noisygrpo.methods.rgb import to_rgb

    try:
        check_image({"bytes": None, "path": path})
    except ImageProblem as error:
        raise UserError(f"--image {path}: {error}") from error
    return to_rgb(Image.open(path))


def _check_noise(args: argparse.Namespace) -> None:
    given, at = args.noise_level, args.noise_at
    level = given or 0.0
    require(0 <= level <= 1, f"--noise-level: {level} is outside [0, 1]")
    require(at in (None, "model", "file"), f"--noise-at: {at!r}, allowed are model, file")
    require(level == 0 or bool(args.image), f"--noise-level: {level} has no effect without --image")
    for option, value in (("--noise-at", at), ("--noise-kind", args.noise_kind)):
        # A level of 0 that is given may be one of several in a script.
        none = value is None or given is not None
        require(none, f"{option}: {value!r} has no effect without --noise-level")


def _see(image: Image.Image, number: int, args: argparse.Namespace, processor: Any) -> Image.Image:
    from noisygrpo.methods.noise import fit_pixels, noise_seed, perturb
    from noisygrpo.models.vision import noise_limits
    from noisygrpo.own.choice import read_choice
    from noisygrpo.own.resolve import resolve

    noise = resolve("noise_kind", *read_choice("noise_kind", args.noise_kind or "gaussian"))
    if not args.noise_level:
        return image
    limits = noise_limits(args.noise_at, processor)
    image = image if limits is None else fit_pixels(image, *limits)
    return perturb(image, args.noise_level, noise_seed(args.seed, 0, "generate", 0, number), noise)
