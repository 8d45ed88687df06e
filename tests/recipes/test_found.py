"""A recipe that was found beside a model decides nothing about trust, code or paths outside."""

import os

import pytest
import yaml

from noisygrpo.errors import UserError
from noisygrpo.models.spec import ModelSpec
from noisygrpo.recipes.found import found_recipe
from noisygrpo.recipes.recipe import dump_recipe, load_recipe


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Writes a recipe into a folder below the working directory; returns its path."""
    work = tmp_path / "work"
    (work / "run").mkdir(parents=True)
    monkeypatch.chdir(work)

    def write(**sections):
        path = work / "run" / "recipe.yaml"
        path.write_text(yaml.safe_dump({"data": "rows.jsonl", **sections}))
        return path

    return write


def test_only_what_an_evaluation_needs_is_taken(planted):
    path = planted(
        name="evil",
        base="../../outside.yaml",
        model={
            "path": "evil/model", "revision": "x", "dtype": "float16", "trust_remote_code": True,
            "attn_implementation": "evil/kernel", "lora": {"r": 1}, "quantization": "4bit",
        },
        method="evil",
        rewards=["evil.py:steal"],
        data={"source": "rows.jsonl", "columns": {"answer": "solution"}, "evil": 1},
        training={"max_pixels": 999, "output_dir": "/", "hub_token": "x", "push_to_hub": True},
        evaluation={"splits": ["a", "b"], "rows": 3, "max_new_tokens": 7},
    )  # fmt: skip
    recipe = found_recipe(path, [("model", "mine")])
    assert recipe.model == ModelSpec("mine", dtype="float16")
    assert (recipe.rewards, recipe.method) == ([], "grpo")
    assert recipe.training == {"max_pixels": 999}
    assert recipe.data.columns == {"answer": "solution"}
    assert (recipe.evaluation.splits, recipe.evaluation.rows) == (["a", "b"], 3)


@pytest.mark.parametrize("form", ["evil.py:f", {"name": "evil.py:f", "alpha": 1}])
@pytest.mark.parametrize("field", ["noise_kind", "view_plan", "advantage"])
def test_no_function_of_it_is_run(planted, field, form, tmp_path):
    for folder in (tmp_path / "work", tmp_path / "work" / "run"):
        (folder / "evil.py").write_text(f"open({str(tmp_path / 'stolen')!r}, 'w')\n")
    recipe = found_recipe(planted(method="noisygrpo", training={field: form, "max_pixels": 999}))
    assert recipe.training == {"max_pixels": 999}
    assert not (tmp_path / "stolen").exists()


def test_the_recipe_that_a_run_writes_gives_its_rows(planted, tmp_path):
    path = planted()
    recipe = load_recipe("playground", [("evaluation.rows", "5")])
    path.write_text(dump_recipe(recipe))
    found = found_recipe(path)
    assert (found.data, found.evaluation) == (recipe.data, recipe.evaluation)


@pytest.mark.parametrize(
    ("sections", "field"),
    [
        ({"data": "/etc/passwd.jsonl"}, "data.source"),
        ({"data": {"source": "../secret.jsonl"}}, "data.source"),
        ({"data": "~/secret.jsonl"}, "data.source"),
        ({"data": "link/secret.jsonl"}, "data.source"),
        ({"data": "run/../../secret.parquet"}, "data.source"),
        ({"data": {"source": "rows.jsonl", "image_root": "/"}}, "data.image_root"),
        ({"evaluation": {"source": "../secret"}}, "evaluation.source"),
        ({"data": "a\0b"}, "data.source"),
        ({"data": {"source": [{"source": "a.jsonl"}, {"source": "/etc/b.jsonl"}]}}, "data.source"),
        (
            {"data": {"source": [{"source": "a.jsonl", "image_root": "../secret"}]}},
            "data.source",
        ),
        ({"data": "inner.yaml"}, "data.source"),
        ({"data": "../outer.yaml"}, "data.source"),
        ({"evaluation": {"source": "inner.yaml"}}, "evaluation.source"),
    ],
)
def test_paths_outside_are_refused_with_the_way_out(planted, tmp_path, sections, field):
    path = planted(**sections)
    os.symlink(tmp_path, tmp_path / "work" / "link")
    (tmp_path / "secret.jsonl").touch()
    for name in ("work/inner.yaml", "outer.yaml"):  # a list may name what lies elsewhere
        (tmp_path / name).write_text(f"datasets: [json_path: {tmp_path / 'secret.jsonl'}]\n")
    with pytest.raises(UserError, match=rf"{field} .* lies outside .*--recipe .*recipe\.yaml"):
        found_recipe(path)
    mine = [("data.source", "/mine.jsonl"), ("data.image_root", "/"), ("evaluation.source", "/m")]
    recipe = found_recipe(path, mine)
    assert (recipe.data.source, recipe.evaluation.source) == ("/mine.jsonl", "/m")


@pytest.mark.parametrize(
    "source", ["playground", "owner/name", "rows.jsonl", "run/rows", "./a.json"]
)
def test_built_in_hub_and_inner_sources_are_taken(planted, source):
    assert found_recipe(planted(data=source)).data.source == source


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"evaluation": {"splits": ["../../x"]}},
            r"evaluation\.splits: '\.\./\.\./x' is not a name",
        ),
        ({"evaluation": {"splits": [".."]}}, "is not a name that a folder can have"),
        ({"evaluation": ["test"]}, "evaluation: .* is not a mapping"),
        ({"data": None}, "data.source is not given"),
        (
            {"data": {"source": "a.jsonl", "adapter": "evil.py:f"}},
            "data.adapter: 'evil.py:f' is code",
        ),
        ({"data": {"source": "a.jsonl", "adapter": "nonsense"}}, "data.adapter: 'nonsense' is not"),
        ({"training": {"max_pixels": "all"}}, "training.max_pixels"),
    ],
)
def test_what_is_wrong_in_it_is_one_message(planted, sections, message):
    with pytest.raises(UserError, match=message):
        found_recipe(planted(**sections))


def test_no_recipe_at_all(planted):
    path = planted()
    path.write_text("- a list")
    with pytest.raises(UserError, match=r"recipe\.yaml: a recipe is a mapping"):
        found_recipe(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not a text file"):
        found_recipe(path)
