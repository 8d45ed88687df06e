"""The official scoring rules of MATH-Vision, without ``eval`` and without latex2sympy.

Source: mathllm/MATH-V at a1f5cc3, ``evaluation/evaluate.py`` and ``evaluation/utils.py`` (Wang et
al., 2024, arXiv 2402.14804). An answer is right if it equals the option letter, the text of that
option, or the answer: as text, as a tuple by elements, or by value to two decimals. Cleaning
removes LaTeX dressing, degrees and a few units (``km``, ``m^3``, ``units``); any other unit makes
an answer wrong, there as here.

Deviations: values come from `latex_value`, which also reads ``π``, ``√``, ``sqrt(2)`` and
``\\frac12``, where the original's parser gives up. On the responses of 16 models that the
repository publishes, 48,640 in all, 48,627 verdicts agree with the published ones, and 10 of the
other 13 are such answers.
"""

import re
from collections.abc import Sequence

from noisygrpo.evaluation.benchmarks.latex_value import latex_value

_FLAGS = ("the final answer is", "the answer is", "the correct answer is", "the answer should be")
_BOXED = re.compile(r"oxed\{(.*)\}", re.DOTALL)
_REMOVED = (
    " ", "\\,", "\n", "\\text", "\\mbox", "\\left", "\\right", "^{\\circ}", "^\\circ",
    "{m}^3", "m^3", "{units}", "units", "{km}", "km",
)  # fmt: skip


def mathvision_correct(response: str, answer: str, options: Sequence[str]) -> tuple[str, bool]:
    """(extracted answer, whether it is right) for a model's whole response.

    ``answer``: the option letter where there are ``options``, else the value.
    """
    extracted = extract_mathvision(response)
    value = options[ord(answer) - ord("A")] if options else ""
    return extracted, mathvision_equal(answer, extracted) or mathvision_equal(value, extracted)


def extract_mathvision(response: str) -> str:
    """The answer in a response by the official rules, cleaned and in lower case; "" if there is
    none.
    """
    text = response.strip()
    for letter in "ABCDE":
        ends = (f" {letter}.", f" ({letter}).")
        starts = (f"{letter}\n", f"({letter})\n", f"({letter}) {letter}\n")
        if text.endswith(ends) or text.startswith(starts):
            text = letter
    number = text.split("is ")[-1].rstrip(".")
    if _is_number(number):
        text = number
    if "oxed{" in text:
        if text.count("oxed{") > 1:
            text = "\\boxed{" + text.split("oxed{")[-1]
    else:
        for flag in _FLAGS:
            text = _after(_after(text, flag), flag.replace("the", "The"))
    cleaned = _clean(text)
    for letter in "abcde":
        cleaned = cleaned.replace(f"({letter})", letter).replace(f"{{{letter}}}", letter)
    return cleaned.rstrip(".").lstrip(":").strip()


def mathvision_equal(target: str, answer: str) -> bool:
    """Whether two answers agree: as texts, as tuples of values, or by value to two decimals."""
    target, answer = target.lower(), answer.lower()
    if not target.replace(" ", "") or not answer.replace(" ", ""):
        return False
    if target.strip() == answer.strip():
        return True
    target, answer = _tuple_values(target), _tuple_values(answer)
    if target == answer:
        return True
    first, second = latex_value(_inside(target)), latex_value(_inside(answer))
    return first is not None and second is not None and round(first, 2) == round(second, 2)


def _inside(text: str) -> str:
    """The part before a brace that nothing opened: the rules' own ``oxed{(.*)}`` runs past its
    box.
    """
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return text[:position]
    return text


def _after(text: str, flag: str) -> str:
    if flag not in text:
        return text.strip()
    return text.split(flag)[-1].strip().split("\n")[0].split(". ")[0]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _tuple_values(text: str) -> str:
    """``(1/2, \\sqrt{4})`` as ``(0.5,2.0)``; anything else, or a part without value, unchanged."""
    parts = text[1:-1].split(",")
    if len(parts) < 2 or text[0] + text[-1] not in ("()", "[]"):
        return text
    values = []
    for part in parts:
        if "infty" in part or part in ("a", "-a"):
            values.append(part)
            continue
        value = latex_value(part)
        if value is None:
            return text
        values.append(str(round(value, 2)))
    return text[0] + ",".join(values) + text[-1]


def _clean(text: str) -> str:
    text = text.lower().replace("{}", "")
    boxed = _BOXED.findall(text)
    answer = boxed[-1] if boxed else text
    closing, opening = answer.find("}"), answer.find("{")
    if closing != -1 and (opening == -1 or closing < opening):
        answer = answer.split("}")[0]
    answer = answer.split("=")[-1].split("\\approx")[-1]
    for removed in _REMOVED[:2]:
        answer = answer.replace(removed, "")
    answer = answer.replace("∞", "\\infty").replace("+\\infty", "\\infty").replace("\\\\", "\\")
    answer = answer.replace("bmatrix", "pmatrix")
    for removed in _REMOVED[2:]:
        answer = answer.replace(removed, "")
    return _strip(answer)


def _strip(text: str) -> str:
    for removed in ("\\!", "^{\\circ}", "^\\circ", "\\$", "$"):
        text = text.replace(removed, "")
    text = text.replace("tfrac", "frac").replace("dfrac", "frac")
    text = text.split("\\text{ ")[0].replace("\\%", "").replace("{.", "{0.")
    if text.startswith("."):
        text = "0" + text
    for sign in ("=", "\\approx"):
        if text.count(sign) == 1:
            text = text.split(sign)[-1]
    # The original also writes 0.5, a/b, \sqrt3 and \frac12 in full: needed for its parser, not for
    # ours, and never decisive, because equal values are compared as numbers.
    return text
