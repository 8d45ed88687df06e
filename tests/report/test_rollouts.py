"""Rollouts of a run as columns, whatever stands in its files."""

import gzip
import json
from types import SimpleNamespace

import pandas as pd
import pytest

from made_run import HOSTILE, LEVELS, PROMPTS, STEPS, record, records
from noisygrpo.report.rollouts import MOST_CHARACTERS, cut, read_rollouts
from noisygrpo.report.tokens import token_ends
from noisygrpo.training.records.rollouts import write_rollouts


def write(folder, lines):
    folder.mkdir(exist_ok=True)
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    (folder / "rollouts.jsonl").write_text(text, encoding="utf-8", errors="surrogatepass")
    return read_rollouts(folder)


def texts(rollouts, number=0):
    return json.loads(gzip.decompress(rollouts.chunks[number].data))


def test_columns_have_every_rollout_and_groups_their_own(tmp_path):
    found = write(tmp_path, records())
    assert len(found) == STEPS * PROMPTS * len(LEVELS)
    assert found.groups == list(range(0, len(found), len(LEVELS)))
    assert list(found.members(1)) == [4, 5, 6, 7]
    assert found.examples == ["rows-0", "rows-1", "rows-2"]
    assert found.level[:4] == list(LEVELS)
    assert found.parts["accuracy"][:4] == [0.0, 1.0, None, 1.0]
    assert (found.cut[1], found.unscorable[2], found.reward[2]) == (1, 1, None)
    assert texts(found)["completion"][1] == records()[1]["completion"]
    drawn = found.record(5)
    assert drawn["noise_seed"] == records()[5]["noise_seed"] and drawn["noise_level"] == 0.1


def test_parquet_gives_what_json_lines_give(tmp_path):
    lines = records()
    (tmp_path / "parquet").mkdir()
    for step in range(1, STEPS + 1):
        some = [line for line in lines if line["step"] == step]
        write_rollouts(tmp_path / "parquet", "parquet", f"step-{step:06d}", some)
    (tmp_path / "json").mkdir()
    one, other = write(tmp_path / "json", lines), read_rollouts(tmp_path / "parquet")
    assert one.columns() == other.columns()
    assert one.seeds == other.seeds
    assert texts(one)["completion"] == texts(other)["completion"]
    assert pd.__version__


def test_a_prompt_twice_in_a_step_is_two_groups(tmp_path):
    lines = [record(1, 0, index, 0.0) for _ in range(2) for index in range(3)]
    assert write(tmp_path, lines).groups == [0, 3]


@pytest.mark.parametrize(
    "line",
    ['{"step": 1, "exam', "[]", "null", "{}", '{"step": "x", "example_id": "a"}', "\x00",
     "[" * 9000,
     '{"step": 1}', '{"step": 1, "example_id": "a", "noise_level": "x"}',
     '{"step": 1, "example_id": "a", "noise_seed": 5}', '{"step": null, "example_id": "a"}',
     '{"step": 1, "example_id": "a", "rewards": 3}'],
)  # fmt: skip
def test_a_line_that_is_no_record_is_left_out_and_named(tmp_path, line):
    found = write(tmp_path, [record(1, 0, 0, 0.0), line + "\n", record(1, 0, 1, 0.1)])
    assert len(found) == 2 == len(found.level) == len(found.advantage) == len(found.gain)
    assert len(found.problems) == 1 and "line 2" in found.problems[0]
    assert all(len(column) == 2 for column in found.parts.values())
    assert found.groups == [0]


def test_odd_values_become_none_and_odd_texts_text(tmp_path):
    odd = {
        "reward": float("nan"),
        "advantage": "much",
        "completion": {"a": 1},
        "hint": HOSTILE,
        "rewards": {"new": True},
        "noise_seed": None,
        "example_id": 7,
        "prompt": "plain",
    }
    found = write(tmp_path, [record(1, 0, 0, 0.0), record(1, 0, 1, 0.3) | odd])
    assert (found.reward[1], found.advantage[1], found.examples[1]) == (None, None, "7")
    assert found.parts["new"] == [None, None] and found.parts["accuracy"][1] is None
    assert texts(found)["completion"][1] == "{'a': 1}"
    assert texts(found)["hint"][1] == HOSTILE
    assert found.prompts[1] == "plain"


def test_a_huge_text_is_cut_and_says_so():
    text = "x" * (MOST_CHARACTERS + 1234)
    assert cut(text).startswith("x" * MOST_CHARACTERS + "\n… 1,234 characters more")
    assert cut(text[:MOST_CHARACTERS]) == text[:MOST_CHARACTERS]


class Words:
    """Stands for a tokenizer: one token for each two characters."""

    def encode(self, text, add_special_tokens):
        offsets = [(n, min(n + 2, len(text))) for n in range(0, len(text), 2)]
        return SimpleNamespace(offsets=offsets)


def test_ends_of_tokens_are_in_the_units_of_a_browser():
    assert token_ends(Words(), "abcd", "", 2) == [2, 4]
    assert token_ends(Words(), "abcd", "", 3) == [2, 4, 4]  # the one that ended it
    assert token_ends(Words(), "abcd", "", 5) is None
    assert token_ends(None, "abcd", "", 2) is None
    assert token_ends(Words(), "a\U0001f600cd", "", 2) == [3, 5]
    assert token_ends(Words(), "hhhabcd", "hhh", 2) == [5, 7]
