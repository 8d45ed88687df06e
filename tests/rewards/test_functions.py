import asyncio
import math

import pytest

from noisygrpo.errors import UserError
from noisygrpo.rewards import REWARDS, UNSCORABLE, load_rewards
from noisygrpo.rewards.guard import RewardError
from noisygrpo.rewards.judge import Verdict


def chat(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def run(name: str, completions: list, **columns) -> list:
    return REWARDS[name](prompts=[""] * len(completions), completions=completions, **columns)


def test_accuracy_of_conversations_and_strings() -> None:
    completions = [chat("<answer>3</answer>"), "<answer>4</answer>", "3", "\\boxed{3}"]
    kinds = ["numeric", "count", "", "auto"]  # a data set's own kinds mean auto
    assert run("accuracy", completions, answer=["3"] * 4, kind=kinds) == [1.0, 0.0, 1.0, 1.0]


def test_answers_of_any_type() -> None:
    texts = ["3", "0.5", "yes", "1, 2", "4", "False"]
    answers = [3, 0.5, True, [2, 1], 4.0, False]
    assert run("accuracy", texts, answer=answers) == [1.0] * 6
    turns = [[{"role": "assistant", "content": None}], [{"role": "assistant", "content": "3"}]]
    assert run("accuracy", turns, answer=[3, 3], kind=[None, None], question=[None, None]) == [0, 1]


def test_a_row_without_an_answer_is_not_asked() -> None:
    assert run("accuracy", ["3", "3", "3"], answer=[None, "", "3"]) == [None, None, 1.0]
    assert run("hint_accuracy", ["3", "3"], answer=[None, "3"]) == [None, 1.0]
    assert run("noisyrollout", ["3", "3"], answer=[None, "3"]) == pytest.approx([None, 0.9])


def test_what_could_not_be_compared_is_unscorable(monkeypatch) -> None:
    slow = lambda cases, **knobs: [Verdict(None, "slow") for _ in cases]  # noqa: E731
    monkeypatch.setattr("noisygrpo.rewards.functions.judge_all", slow)
    for name in ("accuracy", "hint_accuracy", "noisyrollout"):
        (reward,) = run(name, ["<answer>x</answer>"], answer=["y"])
        assert reward is UNSCORABLE


@pytest.mark.parametrize(
    ("text", "ours", "released"),
    [
        ("<think>a</think><answer>b</answer>", 1, 1),
        ("<think>a</think>\n<answer>b</answer>\n", 1, 0),
        (" <think>a</think><answer>b</answer>", 1, 0),
        ("<think>a</think> so <answer>b</answer>", 0, 0),
        ("<think>a</think><answer> </answer>", 0, 1),
        ("<think>a</think><answer>b</answer><answer>c</answer>", 0, 1),
        ("<think>a</think><think>b</think><answer>c</answer>", 0, 1),
        ("<answer>b</answer>", 0, 0),
        ("a</think><answer>b</answer>", 0, 0),
        ("<think>a</think><answer>x < 3</answer>", 1, 1),
        ("<think></think><answer>b</answer>", 0, 1),
        ("<think> \n</think><answer>b</answer>", 0, 1),
        ("<think>a</think><answer>\\boxed{b</answer>", 0, 1),
        ("<think>a</think><answer>\\boxed{}</answer>", 0, 1),
        ("<think>a</think><answer>\\boxed{b}</answer>", 1, 1),
    ],
)
def test_format(text: str, ours: float, released: float) -> None:
    assert run("format", [chat(text)]) == [ours]
    assert run("format", [chat(text)], compat=True) == [released]


def test_format_knows_that_a_hint_opens_the_thinking() -> None:
    text = "so</think><answer>b</answer>"
    assert run("format", [text, text], hint_ratio=[0.0, 0.5]) == [0.0, 1.0]


@pytest.mark.parametrize(
    ("text", "reward"),
    [
        ("<think>a</think> It is \\boxed{3}.", 1.0),
        ("<think>\\boxed{3}</think>", 0.0),
        ("\\boxed{3}", 0.0),
        ("<think></think> \\boxed{3}", 0.0),
        ("<think>a</think> \\boxed{}", 0.0),
        ("<think>a</think> \\boxed{ }", 0.0),
        ("<think>a</think> \\boxed{3", 0.0),
        ("<think>a</think> \\boxed{3} <think>b</think>", 0.0),
        ("<think>a</think> \\boxed{\\frac{1}{2}}", 1.0),
    ],
)
def test_boxed_style(text: str, reward: float) -> None:
    assert run("format", [text], style="think_boxed") == [reward]


def test_unknown_style() -> None:
    with pytest.raises(UserError, match="style"):
        run("format", [""], style="boxed")


def test_load_binds_arguments_names_and_weights() -> None:
    specs = ["accuracy", {"name": "format", "weight": 0.5, "label": "form", "compat": True}]
    functions, weights = load_rewards(specs)
    assert [function.__name__ for function in functions] == ["accuracy", "form"]
    assert weights == [1.0, 0.5]
    texts = ["<think>a</think><answer>3</answer>\n"]
    columns = {"prompts": [""], "completions": texts, "answer": ["3"], "trainer_state": None}
    assert [function(**columns) for function in functions] == [[1.0], [0.0]]


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([], "empty"),
        ([{"weight": 1}], "no 'name'"),
        (["acuracy"], "acuracy"),
        ([{"name": "accuracy", "weight": "high"}], "weight"),
        ([{"name": "accuracy", "tolerence": 1}], r"no argument 'tolerence'.*tolerance"),
        ([{"name": "accuracy", "answer": "3"}], "no argument 'answer'"),
        (
            [{"name": "accuracy", "tolerance": "abc"}],
            r"accuracy\).tolerance: 'abc' is not a number",
        ),
        ([{"name": "accuracy", "tolerance": -1}], r"tolerance: -1.0, allowed is 0 or more"),
        ([{"name": "accuracy", "time_limit": float("inf")}], "time_limit: inf, allowed"),
        ([{"name": "format", "compat": "yes"}], "compat: 'yes' is not true or false"),
        (["accuracy", "accuracy"], "occur twice"),
        (["missing.py:reward"], "missing.py"),
        ([{"name": "accuracy", "on_error": "ignore"}], "on_error"),
    ],
)
def test_wrong_specs(specs: list, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_rewards(specs)


USER_CODE = """
import asyncio

def length(completions, scale=1.0):
    return [scale * len(text) for text in completions]

async def slow(prompts, completions, **kwargs):
    await asyncio.sleep(0)
    return [1 for _ in completions]

def odd(completions, **kwargs):
    return [float("nan"), None]

def short(completions, **kwargs):
    return [1.0]

def text(completions, **kwargs):
    return ["good", "bad"]

def lost(completions, **kwargs):
    from noisygrpo.rewards import UNSCORABLE

    return [UNSCORABLE, 1.0]

def broken(completions, **kwargs):
    raise KeyError("x")
"""


@pytest.fixture
def user_file(tmp_path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(USER_CODE)
    return str(path)


def test_user_function(user_file: str) -> None:
    (function,), _ = load_rewards([{"name": f"{user_file}:length", "scale": 0.5}])
    assert function.__name__ == "length"
    assert function(prompts=["", ""], completions=["ab", "abcd"], answer=["", ""]) == [1.0, 2.0]
    (slow,), _ = load_rewards([f"{user_file}:slow"])
    assert asyncio.iscoroutinefunction(slow)
    assert asyncio.run(slow(prompts=["", ""], completions=["ab", "abcd"])) == [1.0, 1.0]


def test_what_user_functions_get_wrong(user_file: str, caplog) -> None:
    def call(name: str, **spec) -> list:
        (function,), _ = load_rewards([{"name": f"{user_file}:{name}", **spec}])
        return function(prompts=["", ""], completions=["a", "b"])

    assert [repr(value) for value in call("odd")] == ["UNSCORABLE", "None"]
    assert "nan" in caplog.text
    with pytest.raises(RewardError, match=r"reward .short., .*: returned 1 values for 2"):
        call("short")
    with pytest.raises(RewardError, match="number 0 of the batch: returned 'good', expected"):
        call("text")
    with pytest.raises(RewardError, match=r"broken.*: raises KeyError: 'x' \(mine.py:\d+\)"):
        call("broken")
    assert call("broken", on_error="skip") == [UNSCORABLE, UNSCORABLE]
    assert call("lost") == [UNSCORABLE, 1.0]
    with pytest.raises(UserError, match="no function 'nothing'"):
        call("nothing")


def test_user_file_that_does_not_import(tmp_path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("import nowhere_to_be_found\n")
    with pytest.raises(UserError, match="ModuleNotFoundError"):
        load_rewards([f"{path}:reward"])


def test_rewards_are_finite_or_none() -> None:
    functions, _ = load_rewards(["accuracy", "format"])
    columns = {"prompts": ["", ""], "completions": ["", "<answer>"], "answer": ["1", "x"]}
    for function in functions:
        assert all(value is None or math.isfinite(value) for value in function(**columns))


def test_an_answer_in_the_hint_earns_nothing() -> None:
    hint = "<think>It is \\boxed{4}."
    texts = [f"{hint} Yes.", f"{hint} So \\boxed{{4}}.", f"{hint} No.</think><answer>5</answer>"]
    columns = {"answer": ["4", "4", "5"], "hint": [hint] * 3}
    # the second was cut off in the thinking that the hint opened
    assert run("accuracy", texts, **columns) == [0.0, 0.0, 1.0]
    assert run("hint_accuracy", texts, **columns) == [0.0, 0.0, 1.0]
    assert run("noisyrollout", texts, **columns) == pytest.approx([0.0, 0.0, 0.9])
    assert run("format", texts, **columns) == [0.0, 0.0, 1.0]


def test_only_a_hint_in_the_answer_may_open_the_thinking() -> None:
    text = "so it is</think><answer>4</answer>"
    for hint, whole, reward in (
        ("I count.", f"I count. {text}", 1.0),
        ("I count.", text, 0.0),  # the hint stands in the question
        ("", text, 0.0),
    ):
        assert run("format", [whole], hint=[hint], hint_ratio=[0.5]) == [reward]


SWALLOWS = """
def near(completions, threshold=0.5, *, unit="cm", **columns):
    return [float(len(text) > columns.get("margin", threshold)) for text in completions]
"""


def test_a_misspelt_setting_is_not_swallowed_by_kwargs(tmp_path) -> None:
    name = f"{tmp_path / 'own.py'}:near"
    (tmp_path / "own.py").write_text(SWALLOWS)
    for wrong in ({"treshold": 0.9}, {"units": "m"}, {"threshold": 1, "uint": "m"}):
        meant = "threshold" if "treshold" in wrong else "unit"
        with pytest.raises(UserError, match=f"did you mean '{meant}'"):
            load_rewards([{"name": name, **wrong}])
    functions, _ = load_rewards([{"name": name, "margin": 3, "unit": "m", "units": "m"}])
    assert functions[0](prompts=["", ""], completions=["abc", "abcd"]) == [0.0, 1.0]
