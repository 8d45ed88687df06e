"""A run on a stock folder says which processor it used; what goes on with another one says so."""

import json

from families.tiny_vlm import tiny_folder
from noisygrpo.models import processors


def test_a_run_writes_it_and_resume_and_evaluate_compare(recipe_file, run_cli, tmp_path):
    out = tmp_path / "run"
    words = ["train", recipe_file(model=str(tiny_folder("Qwen3-VL"))), "--output-dir", str(out)]
    words += ["--training.max_steps", "1", "--training.save_strategy", "steps"]
    words += ["--training.save_steps", "1", "--evaluation", "null"]
    status, _, error = run_cli(*words)
    assert status == 0, error
    facts = json.loads((out / "processor.json").read_text())
    assert facts["processor"] == "Qwen3VLProcessor" and facts["tokenizer"] == "Qwen2Tokenizer"
    saved = {path.name for path in (out / "checkpoint").iterdir()}
    assert {"preprocessor_config.json", "video_preprocessor_config.json"} <= saved
    assert (
        "rope_theta" in json.loads((out / "checkpoint" / "config.json").read_text())["text_config"]
    )

    def go_on(*words):
        processors.say.cache_clear()
        (out / "processor.json").write_text(json.dumps({**facts, "images": "gimp"}))
        status, _, error = run_cli(*words)
        assert status == 0, error
        return [line for line in error.splitlines() if "is not the one" in line]

    expected = f"images was gimp, is {facts['images']}"
    (line,) = go_on(*words, "--resume")
    assert expected in line
    (line,) = go_on(
        *("evaluate", "--model", str(out / "checkpoint"), "--recipe", str(out / "recipe.yaml")),
        *("--evaluation", "{splits: [train], rows: 1, max_new_tokens: 2}"),
        *("--output-dir", str(tmp_path / "evaluation")),
    )
    assert expected in line
