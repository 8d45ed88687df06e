"""The diagnosis, on models that are known to be good at two of the three things."""

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from noisygrpo.errors import UserError
from noisygrpo.playground import load_processor, model_path, people
from noisygrpo.playground.scene import Item, Scene, render, sample_scene


@pytest.fixture(scope="module")
def processor():
    return load_processor(model_path())


class Scripted:
    """A model that says, of a statement, the first of some turns that goes on as it has begun."""

    device = torch.device("cpu")

    def __init__(self, tokenizer, turns: dict[str, list[str]], blind_to: str = "") -> None:
        self.tokenizer, self.turns, self.blind_to = tokenizer, turns, blind_to

    def _rest(self, ids: torch.Tensor) -> list[int]:
        asked, _, begun = self.tokenizer.decode(ids, skip_special_tokens=True).partition(
            "assistant\n"
        )
        turns = next(t for statement, t in self.turns.items() if f"\n{statement}\n" in asked)
        for turn in turns:
            if turn.startswith(begun):
                rest = self.tokenizer(turn[len(begun) :], add_special_tokens=False)["input_ids"]
                return [*rest, self.tokenizer.eos_token_id]
        return [self.tokenizer.eos_token_id]

    def generate(self, input_ids: torch.Tensor, **_) -> torch.Tensor:
        rests = [self._rest(row) for row in input_ids]
        longest = max(map(len, rests))
        pad = self.tokenizer.pad_token_id
        new = [rest + [pad] * (longest - len(rest)) for rest in rests]
        return torch.cat([input_ids, torch.tensor(new)], 1)

    def __call__(self, input_ids: torch.Tensor, **_):
        """Likes best what comes next, but for one word that it does not see."""
        following = torch.roll(input_ids, -1, 1)
        logits = torch.nn.functional.one_hot(following, len(self.tokenizer)).float()
        if self.blind_to:
            unseen = self.tokenizer(f" {self.blind_to}", add_special_tokens=False)["input_ids"]
            logits[following == unseen[0]] = 0
            logits[..., 0] += 0.5
        return type("Output", (), {"logits": logits})


class Told:
    """Meanings that are given, for some statements."""

    def __init__(self, meanings) -> None:
        self.meanings = meanings

    def of(self, statement: str, stacked: bool):
        return [self.meanings[statement]] if statement in self.meanings else []


@pytest.fixture(scope="module")
def told(forcing, understanding):
    """Rows with a full turn of reference reasoning each, and their meanings."""
    rng, rows, turns, meanings = np.random.default_rng(3), [], {}, {}
    while len(rows) < 6:
        stacked = len(rows) % 2 == 1
        makers = people.STACKED_MAKERS if stacked else people.SCATTERED_MAKERS
        scene = sample_scene(rng, stacked=stacked)
        task = makers[len(rows) // 2][0](scene, rng)
        asked = task and re.search(r", asked ([^.]+)\.$", task.reasoning)
        if not asked or task.question in turns:
            continue
        first = re.match(r"Step 1: ([^.]+)\.", task.reasoning)[1]
        cluster = f"people-{len(rows)}"
        rows.append(forcing.Row(task.question, task.answer, scene, render(scene), cluster))
        turns[task.question] = [f"<think>{task.reasoning}</think><answer>{task.answer}</answer>"]
        meanings[task.question] = understanding.Meaning(first, asked[1])
    return rows, turns, Told(meanings)


def shares(diagnose, forcing, processor, told, **model) -> dict[str, float]:
    rows, turns, meaning = told
    turns = model.pop("turns", turns)
    reader = forcing.Reader(Scripted(processor.tokenizer, turns, **model), processor, batch=4)
    reader.answers = lambda rows: [row.label for row in rows]  # as any evaluation does it
    figures = diagnose.diagnose(reader, rows, meaning)
    return {name.strip(): figure["share"] for name, figure in figures.items()}


def test_a_model_that_can_all(diagnose, forcing, processor, told):
    found = shares(diagnose, forcing, processor, told)
    named = ("contents given", "perception alone", "words alone", "reasoning alone")
    assert {name: found[name] for name in named} == dict.fromkeys(named, 1.0)
    assert found["statements with a canonical meaning"] == 1.0


def test_a_model_that_reads_no_yellow(diagnose, forcing, processor, told):
    found = shares(diagnose, forcing, processor, told, blind_to="yellow")
    colours = [item.colour for row in told[0] for box in row.scene.boxes for item in box]
    assert found["words read: colour"] == pytest.approx(1 - colours.count("yellow") / len(colours))
    assert found["words read: shape"] == found["words read: end"] == 1.0
    assert found["perception alone"] < 0.5
    assert found["words alone"] == found["reasoning alone"] == 1.0


def test_a_model_that_takes_the_words_for_others(diagnose, forcing, processor, told):
    turns = {
        statement: [re.sub(r"Step 1: \w+", "Step 1: admire", good[0]), *good]
        for statement, good in told[1].items()
    }
    found = shares(diagnose, forcing, processor, told, turns=turns)
    assert found["words alone"] == 0.0
    assert found["perception alone"] == found["reasoning alone"] == 1.0


def test_a_model_that_hears_another_number(diagnose, forcing, processor, told):
    turns = {
        statement: [re.sub(r", asked [^.]+\.", ", asked at least 9.", good[0]), *good]
        for statement, good in told[1].items()
    }
    for turn in turns.values():
        turn[0] = re.sub("<answer>.*</answer>", "<answer>false</answer>", turn[0])
    found = shares(diagnose, forcing, processor, told, turns=turns)
    assert found["words alone"] == 0.0
    assert found["reasoning alone"] == 1.0  # what is asked is written for it
    false = sum(row.label == "false" for row in told[0]) / len(told[0])
    assert found["contents given"] == pytest.approx(false)


def test_a_model_that_concludes_the_opposite(diagnose, forcing, processor, told):
    other = {"true": "false", "false": "true"}
    turns = {
        statement: [re.sub("(?<=<answer>)true|(?<=<answer>)false", lambda m: other[m[0]], good[0])]
        for statement, good in told[1].items()
    }
    found = shares(diagnose, forcing, processor, told, turns=turns)
    assert found["words alone"] == found["perception alone"] == 1.0
    assert found["reasoning alone"] == found["contents given"] == 0.0


SCENE = Scene(
    (
        (Item("circle", "black", "small", 0, 90), Item("square", "yellow", "big", 30, 30)),
        (Item("triangle", "blue", "medium", 40, 3),),
        (Item("circle", "yellow", "medium", 79, 40),),
    ),
    stacked=False,
)


@pytest.mark.parametrize(
    ("box", "step", "said"),
    [
        (0, "count circles", "a5 black circle and c3 yellow square"),
        (0, "count circles at the edge", "a5 black circle edge and c3 yellow square"),
        (0, "count items in a corner", "a5 black circle left bottom and c3 yellow square"),
        (2, "count yellow circles at the right", "t3 yellow circle right"),
        (1, "count triangles near the edge", "k1 blue triangle near"),
        (
            0,
            "count small items off the edge",
            "a5 small black circle edge and c3 big yellow square",
        ),
    ],
)
def test_contents_are_said_as_the_first_step_needs_them(understanding, box, step, said):
    assert understanding.described(SCENE, box, step) == said


def test_a_step_that_looks_at_a_box(understanding):
    assert understanding.looking(SCENE, 1, "count triangles") == (
        " Step 3: middle k1 blue triangle gives"
    )


@pytest.mark.parametrize(
    ("written", "stacked", "plain"),
    [
        ("There are 2 yellow squares.", False, "there are two yellow squares"),
        ("ll 3 towers have a blue  top", True, "all three towers with a blue top"),
        ("A box has atleast one thing of it", False, "a box with at least one item of it"),
        ("there is exactly 1 square at a wall", False, "exactly one square at the edge"),
        ("A dot closely touching the base", False, "a dot touching the bottom"),
        ("Only 2 grey squares contain a circle.", False, "exactly two boxes with a circle"),
        ("A black item over a blue square", True, "a black block on a blue block"),
        ("one tower having a blue block at base", True, "one tower with a blue block at the base"),
    ],
)  # fmt: skip
def test_what_means_the_same_reads_the_same(understanding, written, stacked, plain):
    assert understanding.plain(written, stacked) == plain


def test_meanings_are_found_in_other_colours_and_for_their_kind_of_scene(understanding):
    meaning = understanding.Understanding(3000)
    statement = "There {} a {} tower."
    black, blue = (meaning.of(statement.format("is", c), True) for c in ("black", "blue"))
    assert black == [understanding.Meaning("count towers only black", "at least 1")]
    assert blue == [understanding.Meaning("count towers only blue", "at least 1")]
    assert meaning.of("There is a black tower", False) == []
    assert meaning.of("The moon is made of black cheese", True) == []


def test_the_last_answer_counts(forcing):
    assert forcing.answer("<answer>true</answer> or <answer>False</answer>") == "false"
    assert forcing.answer("true") == ""


def test_rows_are_spread_and_keep_their_scene(diagnose, statements, tmp_path):
    path = tmp_path / "people.parquet"
    statements.write(path)
    rows = diagnose.read_rows(path, 4)
    written = statements.load()
    assert [row.statement for row in rows] == [written[i].statement for i in (0, 50, 100, 150)]
    assert [row.label == "true" for row in rows] == [written[i].label for i in (0, 50, 100, 150)]
    assert np.array_equal(np.asarray(render(rows[1].scene)), np.asarray(rows[1].image))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("boxes", None, "no row has `boxes`"),
        ("boxes", "[[{]]", "people-0-0-0: boxes: not the corpus's description"),
        ("boxes", '[[{"type": "circle"}]]', "people-0-0-0: boxes: not the corpus's description"),
        ("boxes", '["circle"]', "people-0-0-0: boxes: not the corpus's description"),
        ("label", "maybe", "people-0-0-0: label: 'maybe', allowed are true and false"),
        ("image", {"bytes": b"no picture", "path": None}, "people-0-0-0: image: "),
        ("image", {"bytes": None, "path": "a.png"}, "people-0-0-0: image: "),
    ],
)
def test_a_row_that_cannot_be_used_is_named(
    diagnose, statements, scenes, tmp_path, column, value, said
):
    row = statements.row(0, statements.load()[0], scenes.load()[0]) | {column: value}
    path = tmp_path / "one.parquet"
    pq.write_table(pa.Table.from_pylist([row]), path)
    with pytest.raises(UserError, match=re.escape(said)):
        diagnose.read_rows(path, None)


def test_a_file_without_the_columns_is_named(diagnose, tmp_path):
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"statement": ["a"]}), path)
    with pytest.raises(UserError, match=r"other\.parquet: .*identifier"):
        diagnose.read_rows(path, None)


def test_wrong_use_is_said_in_one_line(diagnose, tmp_path, capsys):
    missing = tmp_path / "none.parquet"
    assert diagnose.main(["--data", str(missing)]) == 2
    assert diagnose.main(["--data", str(missing), "--rows", "0"]) == 2
    assert diagnose.main(["--data", str(missing), "--question", "so?"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "none.parquet" in lines[0]
    assert "--rows: 0" in lines[1]
    assert "so?" in lines[2]


def test_the_built_in_model_is_diagnosed(diagnose, statements, tmp_path, capsys):
    path, out = tmp_path / "people.parquet", tmp_path / "figures.json"
    statements.write(path)
    arguments = ["--data", str(path), "--rows", "3", "--draws", "500", "--out", str(out)]
    assert diagnose.main(arguments) == 0
    figures = json.loads(out.read_text())
    assert figures["nothing given"]["n"] == figures["contents given"]["n"] == 3
    assert "perception alone" in capsys.readouterr().out
