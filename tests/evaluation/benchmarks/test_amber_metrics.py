"""AMBER's generative metrics against values worked out by hand."""

from tests.evaluation.judged import sample

from noisygrpo.evaluation.benchmarks.amber_metrics import (
    AmberWords,
    amber_generative_metrics,
    singular,
    vocabulary_words,
)

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
