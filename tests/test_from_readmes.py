"""The pages "from its README to here": every command runs, in order, in a folder as the README has
it.

Hub ids are folders of that name here: tiny models of the families, and files of the published
schema. Recipes keep their published settings; ``SHORTER`` has what is cut.
"""

import json
import re
import shlex
from pathlib import Path

import datasets
import pytest
import yaml
from tests.evaluation.benchmarks.test_base import ROWS, png
from tests.evaluation.eval_data_folder import write_eval_data
from tests.recipes.copies import MINILM, free_form, llava_cot, mm_rlhf, tiny_model

from noisygrpo.cli import main
from tiny import tiny_image

ROOT = Path(__file__).parents[1]
CUT = ["--training.max_steps=1", "--training.max_completion_length=4", "--training.use_cpu=true"]
CUT += ["--training.bf16=false"]
OF_THE_PAGE = {
    "noisygrpo": [],
    # 1 prompt x 12 rollouts; without vLLM.
    "noisyrollout": [
        "--training.use_vllm=false", "--training.gradient_accumulation_steps=6",
        "--training.steps_per_generation=6", "--evaluation.rows=1",
        "--evaluation.max_new_tokens=4",
    ],
    "hint-grpo": [],
}  # fmt: skip
SHORTER = {
    "check": ["--rows", "2", "--no-step", "--no-rollout"],
    "evaluate": ["--max-new-tokens", "4"],
}


def commands(name):
    """The words of every command of a page, behind ``noisygrpo``; launchers' files are there."""
    text = (ROOT / "docs" / f"from-{name}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        words = shlex.split(line)
        if words[:1] == ["accelerate"]:
            assert (ROOT / words[words.index("--config_file") + 1]).is_file()
        if words:
            yield words[words.index("noisygrpo") + 1 :]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Models and data under the names that READMEs and recipes give them."""
    folder = tmp_path_factory.mktemp("published")
    models = tmp_path_factory.mktemp("models")
    (folder / "Qwen").mkdir()
    for name in ("Qwen2.5-VL-3B", "Qwen2.5-VL-7B", "Qwen2-VL-7B"):
        path = f"Qwen/{name}-Instruct"
        (folder / path).symlink_to(tiny_model(path, models))
    (folder / "sentence-transformers").mkdir()
    (folder / "sentence-transformers" / "all-mpnet-base-v2").symlink_to(MINILM)
    (folder / "xyliu6").mkdir()
    free_form(folder / "xyliu6" / "geometry3k")
    free_form(folder / "xyliu6" / "k12-freeform")
    llava_cot(folder / "LLaVA-CoT-100k")
    _mm_rlhf(folder)
    _evaluation(folder)
    return folder


def _mm_rlhf(folder):
    rows, images = mm_rlhf(folder / "annotations")
    assert rows.name == "mm_rlhf_train13k.json"
    found = json.loads(rows.read_text())
    elsewhere = [{**row, "image": f"/inspurfs/data/MM_RLHF/{row['image']}"} for row in found]
    rows.write_text(json.dumps(elsewhere))  # as published: absolute paths of another machine
    Path(images).rename(folder / "MM_RLHF")
    (folder / "data_config").mkdir()
    entry = {"json_path": "annotations/mm_rlhf_train13k.json", "sampling_strategy": "first:3"}
    (folder / "data_config" / "mmrlhf13k.yaml").write_text(yaml.safe_dump({"datasets": [entry]}))


def _evaluation(folder):
    (folder / "MMStar").mkdir()
    row = {**ROWS["mmstar"], "image": {"bytes": png(), "path": None}}
    datasets.Dataset.from_list([row]).to_parquet(str(folder / "MMStar" / "mmstar.parquet"))
    prompts, pictures = folder / "eval" / "prompts", folder / "Geo170K" / "images" / "test"
    prompts.mkdir(parents=True)
    pictures.mkdir(parents=True)
    tiny_image(1).save(pictures / "0.png")
    line = {"image_path": "./Geo170K/images/test/0.png", "question": "then angle CED is ()"}
    text = json.dumps({**line, "ground_truth": "140°"}, ensure_ascii=False)
    (prompts / "geoqa_test_prompts.jsonl").write_text(text + "\n", encoding="utf-8")
    (folder / "images").mkdir()
    tiny_image(2).save(folder / "images" / "superCLEVR_new_025000.png")
    line = {"image_path": "./images/superCLEVR_new_025000.png", "question": "How many items?"}
    text = json.dumps({**line, "ground_truth": 4})
    (prompts / "superclevr_test200_counting_problems.jsonl").write_text(text + "\n")
    write_eval_data(folder / "eval" / "data")


def cut(words, name):
    """The command with what makes it short."""
    more = SHORTER.get(words[0], [])
    return [*words, *more, *([*CUT, *OF_THE_PAGE[name]] if words[0] != "evaluate" else [])]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        (
            "noisygrpo",
            {
                "noise_levels": [0.0, 0.3, 0.6, 0.9],
                "noise_at": "file",
                "save_only_model": True,
                "max_pixels": 2359296,
                "beta": 0.04,
                "temperature": 1.0,
            },
        ),
        (
            "noisyrollout",
            {
                "clean_rollouts": 6,
                "noise_at": "model",
                "noise_levels": [0.5],
                "min_pixels": 262144,
                "entropy_coef": 0.001,
            },
        ),
        (
            "hint-grpo",
            {"hint_levels": 2, "temperature": 0.9, "num_generations": 4, "save_only_model": True},
        ),
    ],
)
def test_a_readme_from_top_to_bottom(name, settings, published, monkeypatch, capsys):
    monkeypatch.chdir(published)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", published / "cache")
    ran, trained = [], []
    for words in commands(name):
        assert main(cut(words, name)) == 0, f"{words}\n{capsys.readouterr().err[-2000:]}"
        ran.append(words[0])
        if words[0] == "train":
            trained.append(Path(words[words.index("--output-dir") + 1]))
    assert {"check", "train", "evaluate"} <= set(ran)
    for folder in trained:
        assert (folder / "checkpoint" / "model.safetensors").is_file()
        assert (folder / "rollouts.jsonl").stat().st_size > 0
    found = yaml.safe_load((trained[0] / "recipe.yaml").read_text())["training"]
    assert {key: found[key] for key in settings} == settings
    printed = capsys.readouterr().out
    assert "the released function" in printed  # check lists what is on
