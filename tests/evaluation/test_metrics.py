"""Every metric against a value worked out by hand."""

import pytest

from noisygrpo.evaluation.benchmarks.amber_metrics import (
    AmberWords,
    amber_generative_metrics,
    singular,
    vocabulary_words,
)
from noisygrpo.evaluation.benchmarks.mme_cot_metrics import (
    mme_cot_quality,
    mme_cot_robustness,
    step_precision,
    step_recall,
)
from noisygrpo.evaluation.metrics import (
    accuracy_by,
    amber_discriminative_metrics,
    hallusionbench_metrics,
    nlvr_metrics,
    wemath_metrics,
    yes_no_metrics,
)


def sample(correct=True, extracted="", answer="", kind="", cluster="c", example_id="x", **meta):
    return {
        "correct": correct,
        "extracted": extracted,
        "answer": answer,
        "kind": kind,
        "cluster": cluster,
        "example_id": example_id,
        "failure": None,
        "output": meta.pop("output", ""),
        "meta": meta,
    }


def answers(pairs, kind=""):
    return [sample(said == truth, said, truth, kind) for said, truth in pairs]


def test_yes_no_metrics():
    # truth no: said no, no, yes, nothing; truth yes: said no, yes, yes, yes
    pairs = [("no", "no"), ("no", "no"), ("yes", "no"), (None, "no")]
    pairs += [("no", "yes"), ("yes", "yes"), ("yes", "yes"), ("yes", "yes")]
    found = yes_no_metrics(answers(pairs))
    assert found["accuracy"] == 5 / 8
    assert found["precision"] == 2 / 3
    assert found["recall"] == 2 / 4
    assert found["F1"] == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5 + 1e-4))


def test_yes_no_metrics_without_any_no():
    found = yes_no_metrics(answers([("yes", "yes"), ("yes", "yes")]))
    assert found == {"accuracy": 1.0, "precision": 0.0, "recall": 0.0, "F1": 0.0}


def test_amber_discriminative_by_dimension():
    found = amber_discriminative_metrics(
        answers([("no", "no")], "existence")
        + answers([("yes", "no")], "state")
        + answers([("no", "no")], "number")
        + answers([("yes", "yes")], "relation")
    )
    by = found["by_dimension"]
    assert found["accuracy"] == 3 / 4
    assert by["attribute"]["recall"] == 1 / 2
    assert by["existence"]["F1"] == pytest.approx(2 / (2 + 1e-3))
    assert by["number"]["F1"] == pytest.approx(2 / (2 + 1e-4))
    assert set(by) == {"attribute", "existence", "number", "relation", "state"}


WORDS = AmberWords(
    {"forest": ["tree"], "dog": ["puppy"], "cloud": [], "sky": [], "cat": [], "light": []},
    frozenset({"light"}),
)


def describe(text, truth, hallu):
    return sample(output=text, truth=truth, hallu=hallu)


def test_amber_generative_by_hand():
    samples = [
        # tree (covers forest), dogs, cat, light (safe): 1 wrong of 4, the cat, which is likely
        describe(
            "Trees, two dogs, a cat in the light.", ["forest", "dog", "sky"], ["cat", "cloud"]
        ),
        # nouns: sky, 1 of 1 right; the sky is the only object, the cloud is not claimed
        describe("Only the sky and a unicorn.", ["sky"], ["cloud"]),
    ]
    found = amber_generative_metrics(samples, WORDS)
    assert found["CHAIR"] == 1 / 5
    assert found["Cover"] == 3 / 4
    assert found["Hal"] == 1 / 2
    assert found["Cog"] == 1 / 3
    assert "not comparable" in found["matching"]


def test_amber_keeps_the_originals_order_of_search():
    # "tree" is found among forest's associated words first: the forest is covered, the tree is not
    words = AmberWords({"forest": ["tree"], "tree": []}, frozenset())
    found = amber_generative_metrics([describe("a tree", ["forest", "tree"], [])], words)
    assert found["Cover"] == 1 / 2
    # an object listed twice is covered once
    found = amber_generative_metrics([describe("dog dog", ["dog", "dog"], [])], WORDS)
    assert (found["Cover"], found["CHAIR"], found["Cog"]) == (1 / 2, 0.0, None)


def test_amber_with_a_similarity():
    def similar(first, second):
        return {first, second} == {"cat", "dog"}

    samples = [describe("a cat", ["dog"], ["cloud"])]
    assert amber_generative_metrics(samples, WORDS)["CHAIR"] == 1.0
    assert amber_generative_metrics(samples, WORDS, similar=similar)["CHAIR"] == 0.0
    assert amber_generative_metrics(samples, WORDS, similar=similar)["Cover"] == 1.0


def test_amber_without_objects():
    found = amber_generative_metrics([describe("Nothing at all.", ["sky"], ["cloud"])], WORDS)
    assert (found["CHAIR"], found["Cover"], found["Hal"]) == (None, 0.0, 0.0)


def test_singular():
    words = [
        "dogs",
        "boxes",
        "berries",
        "men",
        "glass",
        "bus",
        "churches",
        "leaves",
        "sky",
        "houses",
    ]
    assert [singular(word) for word in words[:8]] == [
        "dog",
        "box",
        "berry",
        "man",
        "glass",
        "bus",
        "church",
        "leaf",
    ]
    assert vocabulary_words("Men, man; Dogs!", frozenset({"man", "dog"})) == ["man", "man", "dog"]


def figure(correct, question, figure_id, visual_input="1", category="VD", set_id="0"):
    return sample(
        correct, category=category, subcategory="chart", set_id=set_id, figure_id=figure_id,
        question_id=question, visual_input=visual_input,
    )  # fmt: skip


def test_hallusionbench_by_hand():
    samples = [
        # set 0, VD: two questions about figures 0 and 1 (1 is edited)
        figure(True, "0", "0"),
        figure(True, "1", "0"),
        figure(True, "0", "1", "2"),
        figure(False, "1", "1", "2"),
        # set 1, VS: figure 0 is no image
        figure(False, "0", "0", "0", "VS", "1"),
        figure(True, "0", "1", "1", "VS", "1"),
    ]
    found = hallusionbench_metrics(samples)
    assert found["aAcc"] == 4 / 6
    assert found["qAcc"] == 1 / 3  # VD question 0; not VD question 1, not VS question 0
    assert found["fAcc"] == 2 / 3  # VD figure 0 and VS figure 1; not VD figure 1
    assert found["hard"] == 1 / 2  # edited: VD question 0, not VD question 1
    assert found["easy"] == 2 / 3  # VD questions 0 and 1; not VS question 0, wrong without image
    assert found["image_aAcc"] == 4 / 5


def composite(name, steps, multi):
    keys = [f"{len(steps)}steps_{i + 1}" for i in range(len(steps))]
    rows = [sample(right, cluster=name, key=key) for right, key in zip(steps, keys, strict=True)]
    return [*rows, sample(multi, cluster=name, key=f"{len(steps)}steps_multi")]


def test_wemath_by_hand():
    samples = [
        *composite("mastered", [True, True], True),
        *composite("lucky", [True, False], True),  # strict: rote; loose: mastery
        *composite("rote", [False, False, False], True),
        *composite("general", [True, True, True], False),  # IG
        *composite("ignorant", [True, False], False),  # IK
    ]
    found = wemath_metrics(samples)
    assert found["composites"] == 5
    assert found["score_strict"] == (5 - 0.5 - 1 - 2) / 5
    assert found["score_loose"] == (5 - 0.5 - 1 - 1) / 5
    assert (found["IK"], found["IG"]) == (1 / 5, 1 / 5)
    assert (found["CM_strict"], found["CM_loose"]) == (1 / 5, 2 / 5)
    assert (found["RM_strict"], found["RM_loose"]) == (2 / 3, 1 / 3)
    assert found["by_steps"]["2 steps"]["accuracy"] == 2 / 3
    assert found["by_steps"]["3 steps"]["accuracy"] == 1 / 2
    assert found["by_steps"]["1 step"]["n"] == 12


def test_wemath_of_a_perfect_model():
    found = wemath_metrics(composite("a", [True, True], True))
    assert (found["score_strict"], found["score_loose"], found["RM_strict"]) == (1.0, 1.0, 0.0)


def test_nlvr_by_hand():
    def row(name, said, truth):
        return sample(said == truth, said, truth, cluster=name.rsplit("-", 2)[0], example_id=name)

    found = nlvr_metrics(
        [
            row("test-1-0-0", "true", "true"),
            row("test-1-0-1", "true", "true"),
            row("test-1-1-0", "true", "false"),
            row("test-1-1-1", "true", "false"),
            row("test-2-0-0", "true", "true"),
            row("test-2-0-1", "false", "true"),
            row("test-3-0-0", "false", "false"),
        ]
    )
    assert found["consistency"] == 1 / 3  # statement 3
    assert found["permutation_consistency"] == 2 / 4  # images 1-0 and 3-0
    assert found["permutation_agreement"] == 3 / 4  # all but 2-0
    assert found["majority_class"] == 4 / 7


def test_mme_cot_by_hand():
    steps = [
        {"step_type": "logical inference", "judgment": "Match"},
        {"step_type": "logical inference", "judgment": "Wrong"},
        {"step_type": "image description", "judgment": "Reasonable"},
        {"step_type": "background information", "judgment": "N/A"},
    ]
    assert step_precision(steps) == 2 / 3
    assert step_precision([]) == 0.0
    # two reference solutions of 2 and 3 steps: 1/2 and 2/3
    assert step_recall([True, False, True, True, False], [2, 3]) == 2 / 3
    assert step_recall([], [2]) == 0.0
    judged = {"steps": steps, "matched": [True, False], "solutions": [2]}
    found = mme_cot_quality([judged, None])
    assert found["precision"] == pytest.approx(1 / 3)
    assert found["recall"] == 1 / 4
    assert found["F1"] == pytest.approx(2 * (1 / 3) * 0.25 / (1 / 3 + 0.25))
    assert found["unjudged"] == 1


def test_mme_cot_robustness():
    cot = [
        sample(True, kind="Perception"),
        sample(False, kind="Perception"),
        sample(True, kind="Reasoning"),
    ]
    direct = [
        sample(True, kind="Perception"),
        sample(True, kind="Perception"),
        sample(False, kind="Reasoning"),
    ]
    assert mme_cot_robustness(cot, direct) == {
        "stability": -0.5,
        "efficacy": 1.0,
        "robustness": 0.25,
    }


def test_accuracy_by():
    found = accuracy_by(
        [sample(True, kind="b"), sample(False, kind="a"), sample(False, kind="b")],
        lambda s: s["kind"],
    )
    assert [*found] == ["a", "b"]
    assert found["b"]["accuracy"] == 0.5
