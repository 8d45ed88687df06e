"""What holds of every input, looked for with hypothesis: recipes, command lines, rows, completions,
rewards.

``make test`` draws the same few inputs each time; ``make test-faults`` draws many.
"""

import json
import math
import os
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.faults.drawn import cells, completions, places, refused, values, words, yaml_texts
from tests.faults.trial import Outcome, Part, Trial
from tests.rewards.test_growth import TARGETS

from noisygrpo.cli import build_parser, split_overrides
from noisygrpo.data import DataSpec, load_examples
from noisygrpo.recipes.recipe import dump_recipe, load_recipe, parse_recipe
from noisygrpo.recipes.settings import check_settings
from noisygrpo.rewards import extract_answer, load_rewards
from noisygrpo.rewards.functions import format_reward
from noisygrpo.rewards.judge import decide
from noisygrpo.yaml_text import read_yaml


@given(st.lists(st.tuples(places, values), min_size=1, max_size=3))
def any_recipe_is_read_or_refused(changes):
    """A recipe with any values in any places; one that is read is the same after it was written."""
    document: dict[str, Any] = {
        "model": "playground",
        "method": "noisygrpo",
        "data": "playground",
        "rewards": ["accuracy"],
    }
    for place, value in changes:
        if len(place) == 1:
            document[place[0]] = value
        else:
            section = document.get(place[0])
            known = {"path": section} if place[0] == "model" else {"source": section}
            inner = section if isinstance(section, dict) else known if section else {}
            document[place[0]] = {**inner, place[1]: value}
    recipe = refused(lambda: parse_recipe(document))
    if recipe is None:
        return
    again = parse_recipe(read_yaml(dump_recipe(recipe), "again"))
    assert repr(again) == repr(recipe)  # NaN is not NaN


@given(
    st.lists(
        st.tuples(places.map(".".join), values.map(json.dumps) | st.text(max_size=9)), max_size=3
    )
)
def any_override_is_taken_or_refused(overrides):
    """``--field value`` with any field and any text."""
    refused(lambda: load_recipe("playground", overrides, check_settings))


@given(yaml_texts)
def any_text_is_yaml_or_refused(text):
    """A recipe's text; and what is read is what PyYAML reads."""
    found = refused(lambda: read_yaml(text, "recipe.yaml"))
    if found is not None and "e" not in text.lower():  # 1e5 is a number here
        assert repr(found) == repr(yaml.safe_load(text))


@given(st.lists(words, max_size=7))
def any_words_are_parsed_or_refused(line):
    """Words of a command line: nothing is lost, and ``--a.b=c`` is ``--a.b c``."""
    split = refused(lambda: split_overrides(line))
    if split is None:
        return
    rest, overrides = split
    joined = [*rest, *(f"--{name}={value}" for name, value in overrides)]
    assert split_overrides(joined) == (rest, overrides)
    apart = [
        word
        for name, value in overrides
        if not value.startswith("--")
        for word in (f"--{name}", value)
    ]
    kept = [pair for pair in overrides if not pair[1].startswith("--")]
    assert split_overrides(apart)[1] == kept
    with open(os.devnull, "w") as nothing:
        quiet(lambda: build_parser().parse_args(rest), nothing)


def quiet(call: Callable[[], Any], nothing: Any) -> None:
    """Call argparse, which may print and leave with 0 or 2."""
    try:
        with redirect_stderr(nothing), redirect_stdout(nothing):
            call()
    except SystemExit as exit:
        assert exit.code in (0, 2)


@given(
    st.lists(
        st.one_of(
            cells.map(json.dumps),
            st.fixed_dictionaries({"question": st.text(max_size=9), "answer": values}).map(
                json.dumps
            ),
            st.text(max_size=20),
        ),
        max_size=3,
    ),
    st.sampled_from(["jsonl", "json", "csv"]),
)
def any_rows_are_read_or_refused(lines, kind):
    """Lines of a file of rows; what is read is read again the same."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rows.{kind}"
        text = "\n".join(lines) if kind != "json" else f"[{','.join(lines)}]"
        path.write_text(text, encoding="utf-8", errors="replace")
        spec = refused(lambda: DataSpec(str(path)))
        data = refused(lambda: load_examples(spec))
        if data is not None:
            assert len(data) > 0
            assert [row["prompt"] for row in load_examples(spec)] == [row["prompt"] for row in data]


@given(completions, st.sampled_from(TARGETS), st.sampled_from([" ", "\n", "\t ", "\n\n  "]))
def any_completion_is_judged_alike_in_padding(text, case, space):
    """A verdict on whatever a model writes; white space around it changes nothing."""
    plainly, padded = (extract_answer(one) for one in (text, f"{space}{text}{space}"))
    assert (plainly or "").strip() == (padded or "").strip()
    first = decide(case._replace(prediction=plainly))
    second = decide(
        case._replace(prediction=None if plainly is None else f"{space}{plainly}{space}")
    )
    assert type(first) is type(second)
    if hasattr(first, "correct"):
        assert first.correct == second.correct
    for style in ("think_answer", "think_boxed"):
        assert format_reward([], [text], style=style)[0] in (0.0, 1.0)


@given(st.lists(completions, min_size=1, max_size=4), st.randoms(use_true_random=False))
def a_completion_is_judged_by_itself(texts, order):
    """Rewards of a batch in another order are the same rewards in that order."""
    given_order = list(range(len(texts)))
    order.shuffle(given_order)
    for style in ("think_answer", "think_boxed"):
        rewards = format_reward([], texts, style=style)
        turned = format_reward([], [texts[n] for n in given_order], style=style)
        assert turned == [rewards[n] for n in given_order]
        assert len(rewards) == len(texts)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(
                ["name", "weight", "on_error", "tolerance", "style", "time_limit", "x"]
            ),
            values | st.sampled_from(["accuracy", "format"]),
            max_size=4,
        )
        | values.filter(lambda v: not isinstance(v, dict)),
        max_size=3,
    )
)
def any_reward_is_loaded_or_refused(specs):
    """The list ``rewards`` of a recipe."""
    document = {"model": "playground", "method": "grpo", "data": "playground", "rewards": specs}
    recipe = refused(lambda: parse_recipe(document))
    found = None if recipe is None else refused(lambda: load_rewards(recipe.rewards))
    if found is not None:
        functions, weights = found
        assert len(functions) == len(weights) == len(specs)
        assert all(math.isfinite(weight) for weight in weights)


PROPERTIES = [
    any_recipe_is_read_or_refused,
    any_override_is_taken_or_refused,
    any_text_is_yaml_or_refused,
    any_words_are_parsed_or_refused,
    any_rows_are_read_or_refused,
    any_completion_is_judged_alike_in_padding,
    a_completion_is_judged_by_itself,
    any_reward_is_loaded_or_refused,
]

CHECKS = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def look(wanted: Callable[[], None], examples: int, *, shrink: bool = True) -> None:
    """Draw so many inputs, the same each time."""
    phases = [Phase.generate, *([Phase.shrink] if shrink else [])]
    how = settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=CHECKS,
        phases=phases,
    )
    how(wanted)()


def trial(wanted: Callable[[], None], examples: int) -> Outcome:
    """One property over many inputs."""
    try:
        look(wanted, examples)
    except Exception as error:
        notes = " ".join(getattr(error, "__notes__", []))
        return Outcome(
            "broken", f"{type(error).__name__}: {error} {notes}".replace("\n", " ")[:600]
        )
    return Outcome("held", f"{examples} inputs")


def trials(shared: Path | None, examples: int = 4000) -> list[Trial]:
    """All properties."""
    return [
        Trial(wanted.__name__.replace("_", " "), lambda folder, w=wanted: trial(w, examples))
        for wanted in PROPERTIES
    ]


PART = Part(
    "properties",
    "properties of recipes, command lines, rows, completions and rewards, over drawn inputs each",
    trials,
    ("held",),
)
