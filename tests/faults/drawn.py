"""What hypothesis draws from: values, places in a recipe, words, rows, completions."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from tests.rewards.test_growth import PIECES

from noisygrpo.errors import UserError
from noisygrpo.fields import hints
from noisygrpo.terminal import one_line

LONGEST = 800
"""Of a message."""

plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["", "0", "-1", "inf", "nan", "auto", "none", "true", "1e999", "\x00", "\x1b[2J"]
    ),
)
values = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
completions = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=12).map("".join)


def refused(call: Callable[[], Any]) -> Any:
    """What a call returns; None where it refuses, which it must do in one short line."""
    try:
        return call()
    except UserError as error:
        said = one_line(str(error))  # as the command line prints it
        assert said and "Traceback" not in said
        assert len(said) < LONGEST, f"{len(said)} signs: {said[:200]}"
        return None


SECTIONS = ("model", "method", "data", "rewards", "training", "evaluation", "name")
INSIDE = {
    "model": ["path", "dtype", "lora", "quantization", "trust_remote_code"],
    "data": ["source", "split", "format", "columns", "prompt", "limit", "holdout"],
    "evaluation": ["splits", "rows", "batch_size", "max_new_tokens", "every", "best"],
    "training": sorted(hints("training")),
}
places = st.sampled_from(SECTIONS).flatmap(
    lambda name: (
        st.tuples(st.just(name), st.sampled_from(INSIDE[name]) | st.text(max_size=8))
        if name in INSIDE
        else st.tuples(st.just(name))
    )
)

YAML = ["a: ", "- ", "\n", "  ", "&x ", "*x", "? ", "<<: ", "!!int ", "|\n", "---\n", ": ", "\t"]
yaml_texts = st.text(max_size=60) | st.lists(
    st.sampled_from([*YAML, *"[]{}'>#1b,%@", '"']), max_size=25
).map("".join)

WORDS = """train check evaluate generate compare merge playground recipes env show warmstart RUN
x.yaml --model --rows 3 -1 --output-dir --resume --training.seed --training.seed=3 --data.limit
--method --question -- - = --rewards=[accuracy] --evaluation.rows= --model.lora.r --help"""
words = st.sampled_from(WORDS.split()) | st.text(max_size=5)

COLUMNS = "question answer image images messages prompt conversations id other solution"
cells = st.fixed_dictionaries({}, optional=dict.fromkeys(COLUMNS.split(), values))
