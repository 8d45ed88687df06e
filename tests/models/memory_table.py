"""Writes the table of docs/models.md that says what fits which card, as ``check --plan`` does.

    python tests/models/memory_table.py      # a minute; models have shapes and no weights

The recipe is qwen25vl-3b-lora-24gb with the model's path, sizes from published configurations:
those of the hub's Qwen/Qwen2.5-VL-3B-Instruct and -7B-Instruct, Qwen/Qwen3-VL-4B-Instruct and
-8B-Instruct, Qwen/Qwen3.5-4B and -9B, as copies of them in public repositories have them.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from noisygrpo.check.memory import DeviceLoad
from noisygrpo.check.model_size import ModelSize
from noisygrpo.check.plan import for_all_gpus, plan_rows, sizes
from noisygrpo.check.recipe import Prompts
from noisygrpo.playground import load_processor, model_path
from noisygrpo.recipes.recipe import Recipe, load_recipe
from noisygrpo.runs.prepare import prepare

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
BEGIN, END = "<!-- table: tests/models/memory_table.py -->", "<!-- end of memory -->"
RECIPE = "qwen25vl-3b-lora-24gb"
PROMPTS = Prompts(longest=1500, blind=220, patches=4 * 1280)
"""The largest image of the recipe, 1,280 tokens, and a question."""
CARDS = ((1, 24), (1, 48), (1, 80), (8, 80))
"""GPUs and GB of each."""

ROPE = {"type": "mrope", "mrope_section": [16, 24, 24]}
ROPE3 = {"rope_type": "default", "mrope_interleaved": True, "mrope_section": [24, 20, 20]}
TOWER2: dict[str, Any] = {
    "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "patch_size": 14,
    "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 112,
    "fullatt_block_indexes": [7, 15, 23, 31],
}  # fmt: skip
TOWER3: dict[str, Any] = {
    "depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16, "patch_size": 16,
    "spatial_merge_size": 2, "temporal_patch_size": 2, "num_position_embeddings": 2304,
    "deepstack_visual_indexes": [5, 11, 17], "out_hidden_size": 2560,
}  # fmt: skip
LARGE3: dict[str, Any] = {
    **TOWER3, "depth": 27, "hidden_size": 1152, "intermediate_size": 4304,
    "deepstack_visual_indexes": [8, 16, 24], "out_hidden_size": 4096,
}  # fmt: skip


def qwen25(tied: bool, vocabulary: int = 151936, **text: int) -> dict[str, Any]:
    return {
        "model_type": "qwen2_5_vl", "torch_dtype": "bfloat16", "vocab_size": vocabulary,
        "rope_theta": 1e6, "rope_scaling": ROPE, "tie_word_embeddings": tied, **text,
        "vision_config": {**TOWER2, "out_hidden_size": text["hidden_size"]},
    }  # fmt: skip


def qwen3(tied: bool, tower: dict[str, Any], **text: int) -> dict[str, Any]:
    same = {"head_dim": 128, "num_hidden_layers": 36, "num_attention_heads": 32}
    return {
        "model_type": "qwen3_vl", "dtype": "bfloat16", "tie_word_embeddings": tied,
        "text_config": {
            "model_type": "qwen3_vl_text", "vocab_size": 151936, "num_key_value_heads": 8,
            "rope_theta": 5e6, "rope_scaling": ROPE3, **same, **text,
        },
        "vision_config": tower,
    }  # fmt: skip


def qwen35(tied: bool, tower: dict[str, Any], **text: int) -> dict[str, Any]:
    same = {"head_dim": 256, "num_hidden_layers": 32, "num_attention_heads": 16}
    linear = {"linear_num_key_heads": 16, "linear_num_value_heads": 32, "linear_key_head_dim": 128}
    return {
        "model_type": "qwen3_5", "dtype": "bfloat16", "tie_word_embeddings": tied,
        "text_config": {
            "model_type": "qwen3_5_text", "vocab_size": 248320, "num_key_value_heads": 4,
            "full_attention_interval": 4, "linear_value_head_dim": 128, **same, **linear, **text,
        },
        "vision_config": {**tower, "deepstack_visual_indexes": []},
    }  # fmt: skip


MODELS: dict[str, dict[str, Any]] = {
    "Qwen2.5-VL-3B": qwen25(
        True, hidden_size=2048, intermediate_size=11008, num_hidden_layers=36,
        num_attention_heads=16, num_key_value_heads=2,
    ),
    "Qwen2.5-VL-7B": qwen25(
        False, 152064, hidden_size=3584, intermediate_size=18944, num_hidden_layers=28,
        num_attention_heads=28, num_key_value_heads=4,
    ),
    "Qwen3-VL-4B": qwen3(True, TOWER3, hidden_size=2560, intermediate_size=9728),
    "Qwen3-VL-8B": qwen3(False, LARGE3, hidden_size=4096, intermediate_size=12288),
    "Qwen3.5-4B": qwen35(True, TOWER3, hidden_size=2560, intermediate_size=9216),
    "Qwen3.5-9B": qwen35(False, LARGE3, hidden_size=4096, intermediate_size=12288),
}  # fmt: skip
"""Name to the part of its config.json that memory depends on."""

WAYS = {
    "full": [("model.lora", "null"), ("model.dtype", "float32")],
    "LoRA": [],
    "QLoRA": [("model.quantization", "4bit")],
}


def recipe_of(config: dict[str, Any], way: str, gpus: int, folder: Path) -> Recipe:
    """The recipe with a model's sizes; 64 rollouts a step on however many GPUs."""
    (folder / "config.json").write_text(json.dumps(config))
    Image.new("RGB", (56, 56)).save(folder / "image.png")
    rows = [{"question": f"Question {i}", "image": "image.png", "answer": i} for i in range(64)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    changes = [("model.path", str(folder)), ("data.source", str(folder / "rows.jsonl"))]
    steps = ("training.gradient_accumulation_steps", str(16 // gpus))
    return load_recipe(RECIPE, [*changes, steps, *WAYS[way]])


def cells(config: dict[str, Any], way: str, folder: Path) -> list[str]:
    """A row of the table, by card; the model is made once for each number of GPUs."""
    counts = dict.fromkeys(gpus for gpus, _ in CARDS)
    asked = {gpus: asked_of(recipe_of(config, way, gpus, folder), gpus) for gpus in counts}
    return [cell(plan_rows(*asked[gpus], memory)[1], gpus) for gpus, memory in CARDS]


def asked_of(recipe: Recipe, gpus: int) -> tuple[ModelSize, DeviceLoad]:
    """What the model weighs, and what a GPU has to hold beside it."""
    prepared = prepare(for_all_gpus(recipe, gpus), "runs/none", load_processor(model_path()))
    return sizes(prepared, gpus, PROMPTS)


def cell(rows: list[list[str]], gpus: int) -> str:
    """The GB of the first strategy that fits, or of the smallest one that does not."""
    for row in rows:
        if row[-1] == "yes":
            return f"{row[-3]} ({row[0]})" if gpus > 1 else row[-3]
    return f"no: {min(float(row[-3]) for row in rows):.1f}"


def table() -> str:
    """The whole table, from nothing but the configurations above."""
    lines = [["model", "trained", *(f"{gpus} x {memory} GB" for gpus, memory in CARDS)]]
    lines.append(["---"] * len(lines[0]))
    with tempfile.TemporaryDirectory() as place:
        for name, config in MODELS.items():
            for way in WAYS:
                lines.append([name, way, *cells(config, way, Path(place))])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> int:
    """Write the table between its markers."""
    page = PAGE.read_text(encoding="utf-8")
    before, after = page[: page.index(BEGIN) + len(BEGIN)], page[page.index(END) :]
    PAGE.write_text(f"{before}\n\n{table()}\n\n{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
