"""NoisyGRPO's correctness reward: similarity of sentence embeddings (arXiv 2510.21122).

``reward = cos(e(answer), e(target))`` if that is at least the threshold (0.6), else 0, with
exceptions for multiple choice and yes/no. The released code calls its similarity bidirectional
embedding matching, but matches two sentence vectors, which is the plain cosine. Its model is
all-mpnet-base-v2; any sentence-transformers model in a local folder will do.

Deliberate deviations: a question with listed options is judged by the option that was chosen, a
yes/no question by its answer, each 1 or 0. In the released code a wrong letter keeps its
similarity, a target such as "B." names no letter, "casino" answers no, and a prediction with both
words always scores. ``compat`` brings that back.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisygrpo.errors import UserError, require
from noisygrpo.rewards.choices import POLARITIES, options_of, polarity_pair, read_polarity
from noisygrpo.rewards.extract import extract_answer, own_texts
from noisygrpo.rewards.judge import is_correct

THRESHOLD = 0.6

_FIRST_TAG = re.compile(r"<answer>([\s\S]*?)</answer>")
_YES_NO_SENTENCE = "Answer the question with Yes or No."


@functools.lru_cache(maxsize=2)
def load_encoder(model: str, device: str) -> Any:
    """Load a sentence-transformers model once per process.

    Raises ``UserError`` if the extra is not installed or the model cannot be loaded.
    """
    require(bool(model), "rewards.semantic.model: name a sentence-transformers model or its folder")
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise UserError(
            "rewards.semantic needs sentence-transformers: pip install 'sentence-transformers>=5.0'"
        ) from error
    try:
        return SentenceTransformer(model, device=device)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"rewards.semantic.model: cannot load {model!r}: {reason}") from error


def similarities(
    pairs: Sequence[tuple[str, str]], model: str, device: str = "cpu"
) -> NDArray[np.float64]:
    """Cosine of the sentence embeddings of each pair, float64 [pairs]."""
    if not pairs:
        return np.zeros(0)
    texts = sorted({text for pair in pairs for text in pair})
    vectors = load_encoder(model, device).encode(
        texts, batch_size=64, convert_to_numpy=True, show_progress_bar=False
    )
    units = np.asarray(vectors, dtype=np.float64)
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-12)
    place = {text: row for row, text in enumerate(texts)}
    return np.array([units[place[a]] @ units[place[b]] for a, b in pairs])


def check_semantic(
    model: str = "", threshold: float = THRESHOLD, device: str = "cpu", **other: Any
) -> None:
    """Load the model and check the arguments before a run starts."""
    require(
        -1 <= threshold <= 1, f"rewards.semantic.threshold: {threshold} is not a cosine in [-1, 1]"
    )
    load_encoder(model, device)


def semantic(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    answer: Sequence[str],
    question: Sequence[str] | None = None,
    hint: Sequence[str] | None = None,
    *,
    model: str = "",
    threshold: float = THRESHOLD,
    device: str = "cpu",
    compat: bool = False,
    **columns: Any,
) -> list[float | None]:
    """Similarity of answer and target if at least ``threshold``, else 0; see the module.

    ``model``: folder or id of a sentence-transformers model. A completion without an answer gets 0.
    Values in [threshold, 1] or 0.
    """
    asked = question or [""] * len(completions)
    texts = own_texts(completions, hint)
    answers = [_first_tag(text) if compat else extract_answer(text) for text in texts]
    rewards: list[float | None] = [0.0] * len(texts)
    open_rows = []
    for row, given in enumerate(answers):
        rule = None if compat or given is None else _ruled(given, answer[row], asked[row])
        if rule is not None:
            rewards[row] = float(rule)
        elif given is not None and (given or compat):
            open_rows.append(row)
    pairs = [(answers[row] or "", answer[row]) for row in open_rows]
    for row, cosine in zip(open_rows, similarities(pairs, model, device), strict=True):
        value = float(min(cosine, 1.0)) if cosine >= threshold else 0.0
        if compat:
            value = released_overrides(answers[row] or "", answer[row], asked[row], value)
        rewards[row] = value
    return rewards


def _ruled(given: str, target: str, question: str) -> bool | None:
    """Multiple choice and yes/no, decided by what was chosen; None leaves it to similarity."""
    if options_of(question):
        return is_correct(given, target, kind="multiple_choice", question=question).correct
    pair = polarity_pair(target)
    if pair is None and _YES_NO_SENTENCE.lower() in question.lower():
        pair = next((pair for pair in POLARITIES if read_polarity(target, pair)), None)
    if pair is None:
        return None
    return read_polarity(given, pair) == read_polarity(target, pair)


def _first_tag(text: str) -> str | None:
    match = _FIRST_TAG.search(text)
    return match.group(1).strip() if match else None


def released_overrides(given: str, target: str, question: str, reward: float) -> float:
    """The released rules for multiple choice and yes/no, defects included."""
    if "choices:" in question.lower():
        letter = re.search(r"\s([ABCDEFGHIJK])\s", re.sub(r"[^\w\s]", "", target.strip()))
        if letter and given.strip().upper() == letter.group(1):
            reward = 1.0
    if _YES_NO_SENTENCE in question:
        for word in (r"yes\b", r"no\b"):
            if re.search(word, given.lower()) and re.search(word, target.lower()):
                reward = 1.0
    return reward
