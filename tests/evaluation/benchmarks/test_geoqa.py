"""GeoQA's images."""

import json
import re
from pathlib import Path

import pytest

from noisygrpo.evaluation.benchmarks import LoadOptions, get_benchmark, load_table
from noisygrpo.evaluation.rows import Rows
from noisygrpo.rewards.released import hint_accuracy
from tiny import tiny_image


def test_geoqa_finds_images_below_the_root(tmp_path):
    (tmp_path / "Geo170K").mkdir()
    tiny_image(2).save(tmp_path / "Geo170K" / "0.png")
    line = {"image_path": "Geo170K/0.png", "question": "How long?", "ground_truth": "$145°$"}
    gone = {**line, "image_path": "Geo170K/1.png"}
    path = tmp_path / "geoqa.jsonl"
    path.write_text(json.dumps(line) + "\n" + json.dumps(gone) + "\n")
    benchmark = get_benchmark("geoqa")
    rows = Rows(load_table(benchmark, LoadOptions(data=str(path), image_root=str(tmp_path))))
    assert rows.open(0)["images"][0].size == (56, 56)
    assert benchmark.judge("<think>3</think><answer>145</answer>", rows.text(0)).correct
    with pytest.raises(Exception, match=r"1\.png"):  # one broken row; its evaluation goes on
        rows.open(1)


# The forms in which GeoQA gives its golden answers, roots among them as Unicode with braces.
GOLD = [
    "8√{3}", "12√3", "√{2}", "2√{13}cm", "4√{5}", "√3", "10√{2}米", "6√{3}+6", "3-√{3}", "5+√{2}m",
    "\\frac{√{3}}{2}", "\\frac{3√{5}}{5}", "√{3}:1", "(2+2√{3})米", "4πcm", "24πcm²",
    "\\frac{4}{3}米", "145°", "67.5°", "8cm", "5000米", "3:4", "12",
]  # fmt: skip


def in_latex(gold):
    """A golden answer as a model writes it between dollar signs."""
    text = (
        re.sub(r"√\{?(\w+)\}?", r"\\sqrt{\1}", gold).replace("π", "\\pi ").replace("°", "^{\\circ}")
    )
    text = text.replace("²", "^2").replace("米", "\\text{ m}")
    return re.sub(r"(?<![a-z\\{ ])(cm|m)\b", r"\\text{ \1}", text)


def in_words(gold):
    """The same in plain text."""
    text = re.sub(r"√\{?(\w+)\}?", r"sqrt(\1)", gold).replace("°", " degrees").replace("π", "pi ")
    return (
        re.sub(r"\\frac\{(.*?)\}\{(\d)\}", r"(\1)/\2", text).replace("²", "^2").replace("米", " m")
    )


def neighbour(gold):
    """The golden answer with its last digit changed: wrong."""
    at = max(index for index, sign in enumerate(gold) if sign.isdigit() or sign == "π")
    other = "2" if gold[at] in "π1" else "7" if gold[at] != "7" else "5"
    return gold[:at] + other + gold[at + 1 :]


def judged(answer, gold):
    row = {"answer": gold.strip().strip("$"), "question": "如图, AB=? (单位)", "meta": {}}
    return get_benchmark("geoqa").judge(f"<think>so</think><answer>{answer}</answer>", row).correct


@pytest.mark.parametrize("gold", GOLD)
def test_a_perfect_solver_loses_nothing(gold):
    for answer in (
        gold,
        in_latex(gold),
        f"${in_latex(gold)}$",
        in_words(gold),
        f"\\boxed{{{gold}}}",
    ):
        assert judged(answer, gold) is True, answer


@pytest.mark.parametrize("gold", GOLD)
def test_a_neighbour_is_wrong(gold):
    wrong = neighbour(gold)
    for answer in (wrong, in_latex(wrong), in_words(wrong)):
        assert judged(answer, gold) is False, answer
    if "√" in gold:  # what reading over the root gives
        assert judged(re.sub(r"√\{?(\w+)\}?", r"\1", gold), gold) is False
        assert judged(re.sub(r"√\{?(\w+)\}?.*", "", gold) or "1", gold) is False


# Every golden answer of the test file that Hint-GRPO and R1-V score (754 rows), and how often.
ALL = json.loads((Path(__file__).parent / "geoqa_golds.json").read_text(encoding="utf-8"))
UNIT = re.compile(r"(cm|mm|m|平方米|厘米|海里|小时|米|秒)(?=\^|$)")


def whole_latex(gold):
    text = gold.replace("^2^", "^{2}").replace("²", "^{2}").replace("√", "\\sqrt")
    return UNIT.sub(r"\\text{\1}", text.replace("π", "\\pi ").replace("°", "^\\circ"))


def whole_text(gold):
    text = re.sub(r"√\{(\w+)\}", r"√\1", gold.replace("^2^", "²").replace("^{2}", "²"))
    return re.sub(r"\\frac\{(.*?)\}\{(\d+)\}", r"(\1)/\2", text).replace("°", " degrees")


@pytest.mark.parametrize("written", [str, whole_latex, whole_text])
def test_a_perfect_solver_of_all_754_has_all_right(written):
    texts = [f"<think>so</think><answer>{written(gold)}</answer>" for gold in ALL]
    rewards = hint_accuracy([""] * len(texts), texts, list(ALL))
    missed = [gold for gold, reward in zip(ALL, rewards, strict=True) if reward != 1.0]
    assert (sum(ALL.values()), missed) == (754, [])


def test_the_released_scorer_reads_nothing_from_an_answer_tag():
    released = get_benchmark("geoqa-released")
    # All forms, and of those with many golds some: each takes 3 ms of math-verify.
    some = [gold for gold in ALL if not re.fullmatch(r"[\d.]+°?", gold)] + ["140°", "65°", "12"]
    right = {
        gold
        for gold in some
        if released.judge(f"<think>so</think><answer>{gold}</answer>", {"answer": gold}).correct
    }
    assert "\\frac{4}{5}" in right and not right & {"140°", "65°", "12", "8cm", "2√{3}"}
    # 61 of the 754 rows, all of them fractions: echoing the target has the other 693 wrong.
    assert sum(ALL[gold] for gold in right) == 61
    assert released.judge("it is 140, I think", {"answer": "140°"}).correct
