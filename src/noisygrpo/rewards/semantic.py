"""NoisyGRPO's correctness reward: similarity of sentence embeddings (arXiv 2510.21122).

``reward = cos(e(answer), e(target))`` if that is at least the threshold (0.6), else 0, with
exceptions for multiple choice and yes/no. The released code calls its similarity bidirectional
embedding matching, but matches two sentence vectors, which is the plain cosine. Its model is
all-mpnet-base-v2; any sentence-transformers model in a local folder will do.

Deliberate deviations: whatever has one right value is judged by rules, each 1 or 0: a question
with listed options, yes/no, numbers, dates, formulas. A text that contradicts the target in a word
on which the answer turns (a number, a colour, a side, a negation; see ``contrast``) is 0 however
alike the sentences are: embeddings put "12" and "13" at 0.82. In the released code a wrong letter
keeps its similarity, a target such as "B." names no letter, "casino" answers no, and a prediction
with both words always scores. ``compat`` brings that back; its rules are in ``released``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisygrpo.errors import UserError, require
from noisygrpo.reach import hub_problem
from noisygrpo.rewards.choices import LETTERS, chosen_letter, options_of
from noisygrpo.rewards.contrast import contradicts
from noisygrpo.rewards.extract import answer_texts, extract_answer, own_texts
from noisygrpo.rewards.functions import target_text
from noisygrpo.rewards.judge import Case, Verdict, decide, has_one_value
from noisygrpo.rewards.polarity import POLARITIES, polarity_pair, read_polarity
from noisygrpo.rewards.references import by_reference
from noisygrpo.rewards.released import YES_NO_SENTENCE, first_tag, released_overrides

THRESHOLD = 0.6

_CHOICES = re.compile(r"\b(?:choices|options)\s*:", re.IGNORECASE)
_LETTER = re.compile(rf"\W*[{LETTERS}{LETTERS.lower()}]\W*")


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
    problem = "" if Path(model).is_dir() else hub_problem()
    try:
        return SentenceTransformer(model, device=device)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        note = f" ({problem}; a folder with the model will do)" if problem else ""
        raise UserError(f"rewards.semantic.model: cannot load {model!r}: {reason}{note}") from error


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


@by_reference
def semantic(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    answer: Sequence[Any],
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

    ``model``: folder or id of a sentence-transformers model. A completion without an answer gets 0,
    a row without one None. Values in [threshold, 1] or 0.
    """
    asked = [each or "" for each in question or [""] * len(completions)]
    targets = [target_text(each) for each in answer]
    if compat:
        answers = [first_tag(text) for text in own_texts(completions, hint)]
    else:
        answers = [extract_answer(text) for text in answer_texts(completions, hint)]
    rewards: list[float | None] = [0.0] * len(answers)
    open_rows = []
    for row, (given, target) in enumerate(zip(answers, targets, strict=True)):
        if target is None:
            rewards[row] = None
            continue
        rule = None if compat or not given else _ruled(given, target, asked[row])
        if rule is not None:
            rewards[row] = float(rule)
        elif given is not None and (given or compat):
            open_rows.append(row)
    pairs = [(answers[row] or "", targets[row] or "") for row in open_rows]
    for row, cosine in zip(open_rows, similarities(pairs, model, device), strict=True):
        value = float(min(cosine, 1.0)) if cosine >= threshold else 0.0
        if compat:
            value = released_overrides(answers[row] or "", targets[row] or "", asked[row], value)
        rewards[row] = value
    return rewards


def _ruled(given: str, target: str, question: str) -> bool | None:
    """What rules can decide; None leaves it to similarity."""
    kind = "multiple_choice" if options_of(question) else "auto"
    if kind == "auto" and (_CHOICES.search(question) or _LETTER.fullmatch(given)):
        # Options that cannot be told apart; a target such as "The answer is C because …" names one.
        wanted, said = chosen_letter(target), chosen_letter(given)
        if wanted is not None and said is not None:
            return said == wanted
    pair = polarity_pair(target)
    if pair is None and YES_NO_SENTENCE.lower() in question.lower():
        pair = next((pair for pair in POLARITIES if read_polarity(target, pair)), None)
    if pair is not None and kind == "auto":
        return read_polarity(given, pair) == read_polarity(target, pair)
    verdict = decide(Case(given, target, kind, question))
    if kind != "auto" or has_one_value(target):
        return isinstance(verdict, Verdict) and verdict.correct is True
    if isinstance(verdict, Verdict) and verdict.correct:
        return True
    return False if contradicts(given, target) else None
