"""An override of a text is taken as it stands; a section without a line changes nothing."""

import pytest

from noisygrpo.recipes.recipe import load_recipe


@pytest.mark.parametrize(
    "text",
    [
        "Look.\n{question}\nAnswer.",
        "{question} Answer with a number.",
        "Question: {question} Answer:",
        "**Question** {question}",
        '"{question}"',
        "{question} # in full",
    ],
)
def test_a_prompt_is_taken_as_it_stands(text: str) -> None:
    assert load_recipe("qwen25vl-3b", [("data.prompt", text)]).data.prompt == text


def test_a_name_may_hold_a_number_sign_and_null_is_none() -> None:
    recipe = load_recipe("playground", [("training.run_name", "# x")])
    assert recipe.training["run_name"] == "# x"
    assert load_recipe("playground", [("training.run_name", "null")]).training["run_name"] is None


def test_an_empty_section_keeps_what_is_below(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("base: qwen25vl-3b\ndata: my.jsonl\nmodel:\n  # path: mine\ntraining:\n")
    mine, base = load_recipe(str(path)), load_recipe("qwen25vl-3b")
    assert mine.model == base.model and mine.training == base.training
