"""AMBER's generative metrics: how many objects of a description are not in the image (Wang et al.,
2023).

Source: junyangwang0410/AMBER at 534babf, ``inference.py`` (Apache-2.0). For each description, its
object nouns (those in AMBER's vocabulary, ``relation.json``) are checked in turn::

    noun in the general safe words    ignored
    noun, or a word associated with   marks the first such object as covered
    it, among the annotated objects
    else                              hallucinated; marks a matching human-like hallucination

    CHAIR  hallucinated nouns / all object nouns          over all descriptions together
    Cover  covered objects / annotated objects            likewise
    Hal    share of descriptions with a hallucination
    Cog    matched human-like hallucinations / annotated ones

Two parts of the original need downloads: NLTK finds the nouns, spaCy's ``en_core_web_lg`` (700 MB)
lets a similar word (cosine > 0.8) count as an annotated one. By default we do without: every word
of the vocabulary counts as a noun, after `singular`, and only equal words match. CHAIR and Hal
come out higher and Cover lower than with spaCy, so **numbers are comparable with the published
ones only with** ``nouns=nltk_nouns()`` **and** ``similar=spacy_similar()``.

Kept from the original although odd: associated words are searched before the objects themselves,
so "tree" beside an annotated forest covers the forest; an object listed twice can be covered once;
safe nouns count in CHAIR's denominator.
"""

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from noisygrpo.errors import UserError
from noisygrpo.evaluation.samples import Sample

Nouns = Callable[[str], list[str]]
Similar = Callable[[str, str], bool]

SIMILARITY = 0.8  # the original's threshold for spaCy's cosine
_WORD = re.compile(r"[a-z]+")
_IRREGULAR = {
    "men": "man", "women": "woman", "children": "child", "feet": "foot", "teeth": "tooth",
    "mice": "mouse", "geese": "goose", "leaves": "leaf", "knives": "knife", "shelves": "shelf",
    "wolves": "wolf", "loaves": "loaf", "halves": "half", "scarves": "scarf",
}  # fmt: skip


@dataclass(frozen=True)
class AmberWords:
    """AMBER's word lists: ``relation`` (object -> associated words) and the general ``safe``
    words.
    """

    relation: Mapping[str, Sequence[str]]
    safe: frozenset[str]

    @property
    def vocabulary(self) -> frozenset[str]:
        """Every word that can count as an object."""
        return frozenset(
            [*self.relation, *(word for words in self.relation.values() for word in words)]
        )


@dataclass
class _Annotated:
    """The words that stand for annotated objects, in the original's order, and which objects were
    met.
    """

    words: list[tuple[str, int]]
    met: list[bool]

    @classmethod
    def of(cls, objects: Sequence[str], relation: Mapping[str, Sequence[str]]) -> "_Annotated":
        associated = [
            (word, i) for i, name in enumerate(objects) for word in relation.get(name, ())
        ]
        return cls(
            associated + [(name, i) for i, name in enumerate(objects)], [False] * len(objects)
        )

    def mark(self, matches: Callable[[str], bool]) -> bool:
        """Mark the first object that has a matching word; whether there is one."""
        index = next((index for word, index in self.words if matches(word)), None)
        if index is None:
            return False
        self.met[index] = True
        return True


def amber_generative_metrics(
    samples: Sequence[Sample],
    words: AmberWords,
    nouns: Nouns | None = None,
    similar: Similar | None = None,
) -> dict[str, Any]:
    """CHAIR, Cover, Hal and Cog in [0, 1] over descriptions, and with which word matching they
    were made.

    ``samples``: ``output`` and ``meta`` with ``truth`` and ``hallu``, the annotated objects and
    human-like hallucinations.
    """
    totals = dict.fromkeys(
        ("nouns", "wrong", "objects", "covered", "likely", "cognitive", "hallucinating"), 0
    )
    find = nouns or (lambda text: vocabulary_words(text, words.vocabulary))
    for sample in samples:
        found = [noun for noun in find(sample["output"]) if noun in words.vocabulary]
        truth = _Annotated.of(sample["meta"]["truth"], words.relation)
        hallu = _Annotated.of(sample["meta"]["hallu"], words.relation)
        wrong = sum(_is_wrong(noun, truth, hallu, words, similar) for noun in found)
        totals["nouns"] += len(found)
        totals["wrong"] += wrong
        totals["hallucinating"] += wrong > 0
        totals["objects"] += len(truth.met)
        totals["covered"] += sum(truth.met)
        totals["likely"] += len(hallu.met)
        totals["cognitive"] += sum(hallu.met)
    return {
        "CHAIR": _ratio(totals["wrong"], totals["nouns"]),
        "Cover": _ratio(totals["covered"], totals["objects"]),
        "Hal": _ratio(totals["hallucinating"], len(samples)),
        "Cog": _ratio(totals["cognitive"], totals["likely"]),
        "matching": "official"
        if nouns and similar
        else "equal words only (not comparable with published numbers)",
    }


def _is_wrong(
    noun: str, truth: _Annotated, hallu: _Annotated, words: AmberWords, similar: Similar | None
) -> bool:
    if noun in words.safe or truth.mark(lambda word: word == noun):
        return False
    hallu.mark(lambda word: word == noun)
    if similar is None:
        return True
    hallu.mark(lambda word: similar(noun, word))
    return not truth.mark(lambda word: similar(noun, word))


def vocabulary_words(text: str, vocabulary: frozenset[str]) -> list[str]:
    """The words of ``text`` that are in ``vocabulary``, as written or in the singular, in order,
    with repetition.
    """
    found = []
    for word in _WORD.findall(text.lower()):
        form = word if word in vocabulary else singular(word)
        if form in vocabulary:
            found.append(form)
    return found


def singular(word: str) -> str:
    """The singular of an English plural noun by its ending; other words unchanged."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ses", "xes", "zes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def nltk_nouns() -> Nouns:
    """The original's noun finder. Raises ``UserError`` where NLTK or its data is not installed."""
    try:
        nltk: Any = importlib.import_module("nltk")
    except ImportError:
        raise UserError("AMBER's official nouns need NLTK: pip install nltk") from None
    lemmatizer = nltk.WordNetLemmatizer()

    def nouns(text: str) -> list[str]:
        tagged = nltk.pos_tag(nltk.word_tokenize(text))
        return [lemmatizer.lemmatize(word) for word, tag in tagged if tag.startswith("NN")]

    try:
        nouns("a test")
    except LookupError as error:
        raise UserError(f"AMBER's official nouns need NLTK's data: {str(error).strip()}") from None
    return nouns


def spacy_similar(model: str = "en_core_web_lg") -> Similar:
    """The original's word similarity. Raises ``UserError`` where spaCy or its vectors are not
    installed.
    """
    try:
        pipeline: Any = importlib.import_module("spacy").load(model)
    except (ImportError, OSError) as error:
        raise UserError(f"AMBER's official matching needs spaCy and {model}: {error}") from None
    return lambda first, second: pipeline(first).similarity(pipeline(second)) > SIMILARITY


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
