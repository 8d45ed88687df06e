import io
import json

import pytest
from datasets import Dataset, Image, List

from killed import hold, kill_once
from noisygrpo.errors import UserError
from noisygrpo.evaluation import evaluate as module
from noisygrpo.evaluation.evaluate import Judgement, evaluate_answers, evaluate_rows
from noisygrpo.evaluation.generate import Completion, Generation, RefusedInput
from noisygrpo.evaluation.samples import read_samples
from noisygrpo.evaluation.view import EvaluationView
from noisygrpo.rewards.functions import accuracy
from tiny import tiny_image, tiny_qwen25vl, tiny_rows

FOUR = Generation(batch_size=4)


class Killed(BaseException):
    """Stands for a kill: not an Exception, so that nothing can swallow it."""


def oracle(rows):
    """Right on even rows; what it says depends on the whole batch, as float rounding does."""
    batch = ",".join(row["example_id"] for row in rows)
    said = [row["answer"] if int(row["answer"]) % 2 == 0 else "-1" for row in rows]
    return [Completion(f"<think>{batch}</think><answer>{text}</answer>", 9, False) for text in said]


def test_every_sample_is_kept_and_counted(tmp_path):
    result = evaluate_answers(oracle, tiny_rows(10), tmp_path, generation=FOUR, progress=False)
    assert (result.accuracy, result.n, result.failures) == (0.5, 10, 0)
    samples = read_samples(tmp_path / "samples.jsonl")
    assert [sample["example_id"] for sample in samples] == [f"row-{i}" for i in range(10)]
    assert [sample["correct"] for sample in samples] == [True, False] * 5
    assert samples[1]["extracted"] == "-1"
    assert samples[1]["prompt"][0]["content"] == "Question 1: how many?"
    assert all(sample["why"] for sample in samples)
    summary = json.loads((tmp_path / "result.json").read_text())
    assert summary["n"] == 10
    assert summary["accuracy"] == 0.5
    assert summary["by_kind"]["count"]["n"] == 10


@pytest.mark.parametrize("kill_at", [0, 1, 2])
@pytest.mark.parametrize("torn", ["nothing", "half a line", "half a batch"])
def test_killed_and_resumed_equals_uninterrupted(tmp_path, kill_at, torn):
    rows = tiny_rows(11)
    evaluate_answers(oracle, rows, tmp_path / "whole", generation=FOUR, progress=False)
    calls = []

    def dying(batch):
        if len(calls) == kill_at:
            raise Killed
        calls.append(1)
        return oracle(batch)

    with pytest.raises(Killed):
        evaluate_answers(dying, rows, tmp_path / "torn", generation=FOUR, progress=False)
    samples = tmp_path / "torn" / "samples.jsonl"
    if samples.exists() and torn != "nothing":
        text = samples.read_text()
        samples.write_text(
            text[:-20] if torn == "half a line" else "\n".join(text.split("\n")[:-3]) + "\n"
        )
    evaluate_answers(oracle, rows, tmp_path / "torn", generation=FOUR, progress=False)
    for name in ("samples.jsonl", "result.json"):
        assert (tmp_path / "torn" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_finished_evaluation_is_not_answered_again(tmp_path):
    evaluate_answers(oracle, tiny_rows(5), tmp_path, generation=FOUR, progress=False)

    def never(batch):
        raise AssertionError("asked again")

    assert evaluate_answers(never, tiny_rows(5), tmp_path, generation=FOUR, progress=False).n == 5


def test_another_question_in_the_same_folder_is_refused(tmp_path):
    run = {"generation": FOUR, "progress": False}
    evaluate_answers(oracle, tiny_rows(5), tmp_path, settings={"model": "a"}, **run)
    with pytest.raises(UserError, match="model = 'a', asked is 'b'"):
        evaluate_answers(oracle, tiny_rows(5), tmp_path, settings={"model": "b"}, **run)
    with pytest.raises(UserError, match=r"other rows.*--overwrite"):
        evaluate_answers(oracle, tiny_rows(6), tmp_path, settings={"model": "a"}, **run)


def test_a_folder_without_a_single_answer_is_free(tmp_path):
    def missing(batch):
        raise UserError("engine vllm: not installed")

    run = {"generation": FOUR, "progress": False}
    with pytest.raises(UserError, match="not installed"):
        evaluate_answers(missing, tiny_rows(5), tmp_path, settings={"engine": "vllm"}, **run)
    evaluate_answers(oracle, tiny_rows(5), tmp_path, settings={"engine": "hf"}, **run)


def broken_rows():
    good = io.BytesIO()
    tiny_image(0).save(good, "PNG")
    cells = [good.getvalue(), b"not an image", good.getvalue()[:60], None]
    rows = [
        {
            **{key: value for key, value in row.items() if key != "images"},
            "images": [{"bytes": cell, "path": None}],
        }
        for row, cell in zip(tiny_rows(4).remove_columns("images"), cells, strict=True)
    ]
    return Dataset.from_list(rows).cast_column("images", List(Image()))


def test_a_broken_image_is_listed_and_counts_as_wrong(tmp_path):
    result = evaluate_answers(oracle, broken_rows(), tmp_path, generation=FOUR, progress=False)
    assert (result.n, result.failures, result.accuracy) == (4, 3, 0.25)
    failed = json.loads((tmp_path / "result.json").read_text())["failed"]
    assert [entry["example_id"] for entry in failed] == ["row-1", "row-2", "row-3"]
    assert all("image 0 cannot be read" in entry["why"] for entry in failed)


def test_images_that_are_all_missing_are_a_wrong_folder(tmp_path):
    rows = [dict(row, images=[{"bytes": None, "path": "gone.png"}]) for row in tiny_rows(3)]
    with pytest.raises(UserError, match=r"of 3 rows with images none.*row-0.*--image-root"):
        evaluate_answers(oracle, rows, tmp_path / "a", generation=FOUR, progress=False)
    blind = EvaluationView(text_only=True)  # needs no image
    run = {"generation": FOUR, "view": blind, "progress": False}
    assert evaluate_answers(oracle, rows, tmp_path / "b", **run).failures == 0


def test_other_images_are_other_rows(tmp_path):
    rows = [dict(row) for row in tiny_rows(3)]
    run = {"generation": FOUR, "progress": False}
    evaluate_answers(oracle, rows, tmp_path, **run)
    rows[1]["images"] = [tiny_image(1, 84, 28)]
    with pytest.raises(UserError, match="images differ"):
        evaluate_answers(oracle, rows, tmp_path, **run)


def test_a_row_that_the_processor_refuses_does_not_take_its_batch_along(tmp_path):
    def picky(batch):
        if any(row["example_id"] == "row-2" for row in batch):
            raise RefusedInput("aspect ratio")
        return oracle(batch)

    result = evaluate_answers(picky, tiny_rows(5), tmp_path, generation=FOUR, progress=False)
    assert (result.n, result.failures, result.accuracy) == (5, 1, 0.4)


def test_a_real_model_end_to_end(tmp_path):
    model, processor = tiny_qwen25vl()
    rows = [*tiny_rows(5, images=(1, 0, 2))]
    wide = dict(rows[0], example_id="too wide", images=[tiny_image(9, width=900, height=2)])
    settings = Generation(batch_size=4, max_new_tokens=6)
    result = evaluate_rows(
        model, processor, [*rows, wide], tmp_path, generation=settings, name="tiny", progress=False
    )
    assert (result.n, result.failures) == (6, 1)
    samples = read_samples(tmp_path / "samples.jsonl")
    assert all(sample["truncated"] and sample["tokens"] == 6 for sample in samples[:5])
    assert "refuses" in samples[5]["failure"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no rows"),
        ([{"prompt": []}], "column 'images' is missing"),
        ([dict(tiny_rows(1)[0])] * 2, "'row-0' occurs twice"),
    ],
)
def test_unusable_data_is_one_message(tmp_path, rows, message):
    with pytest.raises(UserError, match=message):
        evaluate_answers(oracle, rows, tmp_path, generation=FOUR, progress=False)


def test_rules_say_when_there_is_no_answer():
    verdict = module.judge_by_rules("I do not know", {"answer": "4", "question": "How many?"})
    assert (verdict.correct, verdict.extracted) == (False, None)


@pytest.mark.parametrize(
    ("kind", "target", "said", "right"),
    [
        ("", "4", "five", False),
        ("numeric", "4", "4.0", True),
        ("text", "4", "4.0", False),  # the kind of a row decides, not the look of its target
        ("count", "4", "4.0", True),  # a kind that is no rule means auto
        ("true_false", "It is true.", "yes, true", True),
    ],
)
def test_rules_follow_the_kind_of_a_row_as_the_reward_does(kind, target, said, right):
    row = {"answer": target, "question": "How many?", "kind": kind}
    completion = f"<think>5</think><answer>{said}</answer>"
    verdict = module.judge_by_rules(completion, row)
    assert verdict.correct is right
    assert accuracy([None], [completion], [target], ["How many?"], [kind]) == [float(right)]


def test_progress_is_shown(tmp_path, capsys):
    evaluate_answers(oracle, tiny_rows(5), tmp_path, generation=FOUR, name="test")
    assert "test: 5/5" in capsys.readouterr().err


def answer_and_hold(folder):
    """Answer two batches of ten, and come to a halt."""
    left = iter(range(2))

    def held(batch):
        if next(left, None) is None:
            hold()
        return oracle(batch)

    evaluate_answers(held, tiny_rows(40), folder, generation=FOUR, progress=False)


def test_a_real_kill(tmp_path):
    samples = tmp_path / "killed" / "samples.jsonl"
    kill_once(
        lambda: samples.exists() and samples.read_bytes().count(b"\n") == 8,
        *(answer_and_hold, tmp_path / "killed"),
    )
    assert not (tmp_path / "killed" / "result.json").exists()
    for name in ("killed", "whole"):
        run = {"generation": FOUR, "progress": False}
        evaluate_answers(oracle, tiny_rows(40), tmp_path / name, **run)
    for name in ("samples.jsonl", "result.json"):
        one, other = ((tmp_path / run / name).read_bytes() for run in ("killed", "whole"))
        assert one == other


@pytest.mark.parametrize("change", [{"kind": "number"}, {"cluster": "scene"}])
def test_other_kinds_and_clusters_are_other_rows(tmp_path, change):
    rows = [dict(row) for row in tiny_rows(3)]
    run = {"generation": FOUR, "progress": False}
    evaluate_answers(oracle, rows, tmp_path, **run)
    with pytest.raises(UserError, match=r"other rows.*kinds, clusters"):
        evaluate_answers(oracle, [{**row, **change} for row in rows], tmp_path, **run)


def test_a_record_without_kinds_and_clusters_is_gone_on_with(tmp_path):
    rows = [{**row, "kind": "auto"} for row in tiny_rows(3)]
    run = {"generation": FOUR, "progress": False}
    evaluate_answers(oracle, rows, tmp_path, **run)
    path = tmp_path / "settings.json"
    settings = json.loads(path.read_text())
    settings["data"], _, counted = settings["data"].partition("-")
    assert len(counted) == 16
    path.write_text(json.dumps(settings))
    assert evaluate_answers(oracle, rows, tmp_path, **run).n == 3


def test_a_row_without_a_target_is_wrong_and_listed(tmp_path):
    rows = [{**row, "answer": None} for row in tiny_rows(2)]
    result = evaluate_answers(
        lambda batch: [Completion("1", 1, False) for _ in batch], rows, tmp_path, generation=FOUR,
        progress=False,
    )  # fmt: skip
    assert (result.n, result.failures, result.accuracy) == (2, 2, 0.0)
    failed = json.loads((tmp_path / "result.json").read_text())["failed"]
    assert failed[0]["why"] == "not scorable: the row has no target answer"


def test_kinds_of_mixed_types_and_halves_of_characters(tmp_path):
    kinds = (1, "auto", None)
    rows = [
        {**row, "kind": kind, "question": "how \ud83d many?"}
        for row, kind in zip(tiny_rows(3), kinds, strict=True)
    ]

    def said(completion, row):
        return Judgement(completion, True, "half \udc80")

    def half(batch):
        return [Completion("\udc80", 1, False) for _ in batch]

    run = {"generation": FOUR, "progress": False, "judge": said}
    evaluate_answers(half, rows, tmp_path, **run)
    found = json.loads((tmp_path / "result.json").read_text())
    assert {kind: entry["n"] for kind, entry in found["by_kind"].items()} == {"1": 1, "auto": 1}
    (sample, *_) = read_samples(tmp_path / "samples.jsonl")
    assert (sample["output"], sample["question"]) == ("\udc80", "how \ud83d many?")
    assert evaluate_answers(half, rows, tmp_path, **run).n == 3
