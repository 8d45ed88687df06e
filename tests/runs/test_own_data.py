"""Files of other tools through the command line, to the first step of training."""

import json
from pathlib import Path

import datasets
import pytest
from PIL import Image
from tests.data.files import png
from tests.runs.published import PUBLISHED

REWARD = """
import json

def seen(prompts, completions, answer, solution=None, level=None, **kwargs):
    with open(__file__ + ".log", "a") as log:
        log.write(json.dumps([answer, solution, level, prompts], default=repr) + "\\n")
    return [0.1 * n for n in range(len(completions))]
"""


@pytest.fixture
def reward(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(REWARD)
    return tmp_path / "mine.py"


def step(run_cli, recipe_file, folder: Path, reward: Path, rows: list, *words: str):
    """One step of training on rows; what the reward function was given."""
    for number in range(4):
        (folder / f"{number}.png").write_bytes(png(number * 60, (56, 40)))
    (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = recipe_file(
        data={"source": str(folder / "mine.jsonl")}, rewards=[f"{reward}:seen"], evaluation=None
    )
    status, text, error = run_cli("train", recipe, "--output-dir", str(folder / "run"), *words)
    assert status == 0, error
    log = Path(f"{reward}.log").read_text().splitlines()
    return text, [json.loads(line) for line in log]


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_layout_trains_a_step(
    run_cli, recipe_file, reward, tmp_path, monkeypatch, name
):
    """From the file as the tool has it to the first step, without a converter."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(png(number * 80, (56, 40)))
    source, words = PUBLISHED[name](folder)
    recipe = recipe_file(data={"source": str(source)}, rewards=[f"{reward}:seen"], evaluation=None)
    given = [word for pair in words.items() for word in pair]
    status, _, error = run_cli("train", recipe, "--output-dir", str(tmp_path / "run"), *given)
    assert status == 0, error
    log = [json.loads(line) for line in Path(f"{reward}.log").read_text().splitlines()]
    answers = [answer for batch in log for answer in batch[0]]
    assert len(answers) == 8 and len(set(answers)) == 2 and set(answers) < {"0", "1", "2"}
    prompts = [prompt for batch in log for prompt in batch[3]]
    images = [str(prompt).count("'type': 'image'") for prompt in prompts]
    assert images == [2 if name == "VLM-R1" else 1] * 8
    assert all("How many?" in str(prompt) for prompt in prompts)


def test_ms_swift_with_pictures_in_the_text(run_cli, recipe_file, reward, tmp_path):
    rows = [
        {
            "messages": [
                {"role": "system", "content": "Look closely."},
                {"role": "user", "content": "Compare <image> with <image>: which has more?"},
            ],
            "images": [f"{n}.png", f"{n + 1}.png"],
            "solution": [10, 20, 30, 40 + n],
            "level": n,
        }
        for n in range(3)
    ]
    text, seen = step(run_cli, recipe_file, tmp_path, reward, rows)
    assert "layout messages (detected; data.format sets it): answer <- solution" in text
    assert "3 of 3 rows have images, 3 of them several (up to 2)" in text
    for answer, solution, level, prompts in seen:
        assert answer == solution == [[10, 20, 30, 40 + n] for n in level]
        kinds = [part["type"] for part in prompts[0][1]["content"]]
        assert kinds == ["text", "image", "text", "image", "text"]
    rollouts = [
        json.loads(x) for x in (tmp_path / "run" / "rollouts.jsonl").read_text().split("\n")[:-1]
    ]
    assert rollouts[0]["prompt"][1]["content"][1] == {"type": "image"}
    assert len(rollouts[-1]["noise_seed"]) == 2


def test_llava_with_images_in_some_rows_and_a_limit_of_tokens(
    run_cli, recipe_file, reward, tmp_path
):
    rows = [
        {
            "id": n,
            **({"image": f"{n % 4}.png"} if n % 2 else {}),
            "conversations": [
                {"from": "human", "value": "<image>\n" * (n % 2) + "How many?" + " please" * n},
                {"from": "gpt", "value": str(n)},
            ],
        }
        for n in range(30)
    ]
    words = ("--data.max_prompt_tokens", "250", "--data.prompt", "plain", "--data.holdout", "0.2")
    text, seen = step(run_cli, recipe_file, tmp_path, reward, rows, *words)
    assert "layout conversations" in text
    assert "rows are left out: their prompts are longer than data.max_prompt_tokens 250" in text
    for answer, solution, _, prompts in seen:
        assert solution is None and all(isinstance(item, str) for item in answer)
        assert "please" in str(prompts) or "0" in answer


def test_the_evaluation_of_a_holdout(run_cli, recipe_file, reward, tmp_path):
    rows = [
        {"problem": f"Is there {n}?", "image": f"{n % 4}.png", "solution": ["yes", "no"][n % 2]}
        for n in range(20)
    ]
    for number in range(4):
        Image.new("RGB", (56, 56), (number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"source": str(tmp_path / "mine.jsonl"), "holdout": 0.3}
    recipe = recipe_file(data=source, evaluation={"source": None, "splits": ["holdout"]})
    status, _, error = run_cli("train", recipe, "--output-dir", str(tmp_path / "run"))
    assert status == 0, error
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["holdout"]["before"]["n"] == 2
    trained = {
        json.loads(line)["example_id"]
        for line in (tmp_path / "run" / "rollouts.jsonl").read_text().splitlines()
    }
    samples = tmp_path / "run" / "evaluation" / "before" / "holdout" / "samples.jsonl"
    measured = {json.loads(line)["example_id"] for line in samples.read_text().splitlines()}
    assert measured and not measured & trained


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--evaluation.source", "null"], "evaluation.splits: 'test', but"),
        (["--evaluation.source", "null", "--data.holdout", "2"], "data.holdout: 2"),
        (["--data.max_prompt_tokens", "5"], "data.max_prompt_tokens: 5 leaves out all of 6 rows"),
        (["--data.format", "swift"], "data.format: 'swift' is not one of"),
        (["--data.adapter", "gone.py:f"], "data.adapter: file 'gone.py'"),
        (["--data.columns.image", "null"], "data: none of 6 rows has an image, and the view plan"),
    ],
)
def test_one_line_and_no_traceback(run_cli, recipe_file, words, said):
    status, _, error = run_cli("check", recipe_file(), *words)
    assert status == 2
    assert said in error and error.count("\n") == 1
