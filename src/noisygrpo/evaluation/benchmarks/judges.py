"""Judges that several benchmarks share: by the chosen letter, and by the rules of the rewards."""

from collections.abc import Sequence

from noisygrpo.evaluation.evaluate import Judgement, Row
from noisygrpo.evaluation.reading import read_letter
from noisygrpo.rewards.extract import extract_answer
from noisygrpo.rewards.judge import is_correct


def judge_letter(completion: str, row: Row, options: Sequence[str]) -> Judgement:
    """Right if the chosen letter is the answer's; no letter is wrong.

    ``options``: as in `read_letter`.
    """
    letter = read_letter(completion, options)
    why = "no option letter found" if letter is None else f"chooses {letter}"
    return Judgement(letter, letter == row["answer"].strip().upper(), why)


def judge_math(completion: str, row: Row) -> Judgement:
    """Equality of numbers, lists, formulas or texts, as the reward `accuracy` judges it."""
    extracted = extract_answer(completion)
    if not extracted:
        return Judgement(None, False, "no answer found")
    verdict, why = is_correct(extracted, row["answer"], question=row["question"])
    return Judgement(extracted, verdict, why)
