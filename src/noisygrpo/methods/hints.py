"""Hints: the first steps of a reference reasoning, given as the start of the answer.

Formula (Hint-GRPO, arXiv 2503.23905): with L reasoning steps and M hint levels,

    hint_g = first int(L * g / M) steps, g = 0..M-1, joined by spaces

The model continues after the hint; the hint is conditioning and never trained. Per prompt, all
M * G completions are scored, advantages are taken within each level, and one level's completions
are used for the update:

    first_nonzero         first level whose rewards sum to more than 0       code
    first_with_variance   first level whose rewards are not all equal        a useful gradient

Where no level qualifies, it is level 0 (whose advantages are 0 under ``first_with_variance``).

Shapes: ``rewards [prompts, levels, group]``, selected level ``int64 [prompts]``. Selection is per
prompt, so it is right for any batch size and needs no agreement between processes.

Deliberate deviations from the released code:
- H3: steps are recognised by ``Step k`` as there, or by a numbered list, or else by sentences. A
  marker counts only where k is the next number, and at the start of a line, after punctuation or
  before a colon, so that "by Step 1 we know" cuts nothing.
- H4: ``first_with_variance`` passes over levels whose completions are all right.
- H5: selection looks at the rewards it is given; give it accuracy without format.
- H9: any number of prompts.
- H15: markers are removed, as published, unless ``hint_text`` is told to keep them.
- Kept: H14 (few steps give few distinct hints) is the formula.
"""

import re
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

STYLES = ("auto", "step", "numbered", "sentence")

# After punctuation or at the start of a line any "Step k" is a marker, elsewhere only "Step k:". It
# may be in brackets, in bold, an item of a list, a heading or quoted.
_STEP = re.compile(
    r"(?:(?:^|(?<=[.!?:;\n]))[-–—•‣·>#*_ \t]{0,24}(?:\d{1,3}[.)][*_ \t]{0,8})?[(\[]?[*_]{0,4}"
    r"(?:\\textbf\{|<(?:b|strong)>)?Step[ \t]+(\d+)(?![0-9A-Za-z])(?:[ \t]+of[ \t]+\d+\b)?"
    r"|[*_]{0,4}[(\[]?(?:\\textbf\{|<(?:b|strong)>)?\bStep[ \t]+(\d+)(?=[*_ \t)\]]{0,8}[:：]))"
    r"[*_ \t)\]]{0,8}(?:[:：.)]|[-–—](?=[ \t]))?(?:\}|</(?:b|strong)>)?[*_ \t]{0,8}",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBERED = re.compile(r"^[ \t]*[*_]*(\d+)()[.)](?=[ \t*_])[*_]*", re.MULTILINE)
_SENTENCE_END = re.compile(
    r"(?<=[.!?])[ \t]+(?=[\"'(\[$\\]{0,8}(\w))|(?<=[。！？])[ \t]*(?=\S)|(?<!\s)\s*\n\s*"
)
_AROUND = " :：\t\r\n"  # what may stand between a marker and its step
_PAIRS = (
    ("**", "**"),
    ("__", "__"),
    ("<b>", "</b>"),
    ("<strong>", "</strong>"),
    ("\\textbf{", "}"),
)
"""What a marker may open and its step close: "**Step 1: Look at it.**"."""
_ITEM = re.compile(r"[(\[]?\d{1,3}[.)\]]+")
_ABBREVIATION = re.compile(
    r"\b(?:e\.g|i\.e|cf|vs|figs?|eqs?|approx|resp|mrs?|ms|dr|prof|et al|thm|sec)\.$", re.IGNORECASE
)


Span = tuple[int, int, int]
"""Where a step stands in a text: the start of its marker, of what it says, and its end."""


def find_steps(reasoning: str, style: str = "auto") -> list[Span]:
    """Return where the steps of a reference reasoning stand; none is empty.

    Args:
        reasoning: free text.
        style: ``step``: cut at ``Step 1``, ``Step 2``, ... (what stands before the first is left
            out, as published). ``numbered``: cut at lines that begin with ``1.``, ``2)``, ... in
            order. ``sentence``: cut at sentence ends and line breaks. ``auto``: the first of these
            that finds a marker; a numbered list needs two.

    Raises:
        ValueError: for an unknown style.
    """
    if style not in STYLES:
        raise ValueError(f"hint style {style!r} is not one of {', '.join(STYLES)}")
    if style in ("auto", "step"):
        steps = _cut(reasoning, _STEP)
        if steps or style == "step":
            return steps
    if style in ("auto", "numbered"):
        steps = _cut(reasoning, _NUMBERED)
        if len(steps) > 1 or style == "numbered":
            return steps
    return _sentences(reasoning)


def split_steps(reasoning: str, style: str = "auto") -> list[str]:
    """Return the steps of ``find_steps`` without their markers, stripped."""
    return [
        _closed(reasoning[start:body], reasoning[body:end].strip(_AROUND if body > start else None))
        for start, body, end in find_steps(reasoning, style)
    ]


def _closed(marker: str, said: str) -> str:
    """What a step says, without the end of what its marker had begun, and of ``<think>``."""
    said = said.removesuffix("</think>").rstrip() if marker else said
    for opening, closing in _PAIRS:
        begun = marker.count(opening) - (marker.count(closing) if closing != opening else 0)
        odd = said.count(closing) - (said.count(opening) if closing != opening else 0)
        if marker and begun % 2 == 1 and odd % 2 == 1:
            said = said.replace(closing, "", 1)
    return said


def _cut(text: str, marker: re.Pattern[str]) -> list[Span]:
    """Return what follows each marker whose number is one more than the last accepted one's.

    The first is a 1 where there is one: "we will need Step 2" before the list begins nothing.
    """
    accepted: list[re.Match[str]] = []
    found = [(match, int(match[1] or match[2])) for match in marker.finditer(text)]
    following = 1 if any(number == 1 for _, number in found) else None
    for match, number in found:
        if following is None or number == following:
            accepted.append(match)
            following = number + 1
    ends = [match.start() for match in accepted[1:]] + [len(text)]
    spans = [(m.start(), m.end(), end) for m, end in zip(accepted, ends, strict=False)]
    return [span for span in spans if text[span[1] : span[2]].strip(_AROUND)]


def _sentences(text: str) -> list[Span]:
    spans: list[Span] = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        # A line break always ends the sentence; an abbreviation or an item's number does not.
        said = text[start : match.start()].strip()
        if "\n" not in match[0] and (_ABBREVIATION.search(said) or _ITEM.fullmatch(said)):
            continue
        if match[1] is not None and match[1].islower():
            continue  # in any script that has two cases
        spans.append((start, start, match.start()))
        start = match.end()
    spans.append((start, start, len(text)))
    return [span for span in spans if text[span[1] : span[2]].strip()]


def hint_ratios(levels: int) -> list[float]:
    """Return g / M for g = 0..M-1; published M = 2 (code), 3 (paper); ``ValueError`` below 1."""
    if levels < 1:
        raise ValueError(f"hint levels is {levels}; it must be at least 1")
    return [g / levels for g in range(levels)]


def hint_length(steps: int, ratio: float) -> int:
    """Return int(steps * ratio), the hint's steps; ``ValueError`` for a ratio outside [0, 1]."""
    if not 0.0 <= ratio <= 1.0:
        raise ValueError(f"hint ratio {ratio!r} is outside [0, 1]")
    # g / M times M may come out just below g in floating point.
    return int(steps * ratio + 1e-9)


def hint_prefix(steps: Sequence[str], ratio: float) -> str:
    """Return the first int(L * ratio) steps joined by spaces; "" where that is none."""
    return " ".join(steps[: hint_length(len(steps), ratio)])


def hint_text(reasoning: str, ratio: float, style: str = "auto", markers: bool = False) -> str:
    """Return the hint of a reference reasoning: the first int(L * ratio) of its L steps.

    Args:
        reasoning: free text.
        ratio: g / M, in [0, 1].
        style: as in ``find_steps``.
        markers: keep "Step 1:" and the like and what stands between the steps, so that the hint is
            cut out of the text verbatim; else the bare steps are joined by spaces, as published.

    Raises:
        ValueError: for an unknown style, and for a ratio outside [0, 1].
    """
    if not markers:
        return hint_prefix(split_steps(reasoning, style), ratio)
    steps = find_steps(reasoning, style)
    count = hint_length(len(steps), ratio)
    return reasoning[steps[0][0] : steps[count - 1][2]].strip() if count else ""


def has_variance(
    rewards: Float[Tensor, "prompts levels group"],
) -> Bool[Tensor, "prompts levels"]:
    """Tell the levels whose scorable (not NaN) rewards are not all equal, those with a gradient."""
    unscorable = torch.isnan(rewards)
    low = rewards.masked_fill(unscorable, torch.inf).amin(-1)
    return low < rewards.masked_fill(unscorable, -torch.inf).amax(-1)


def _has_positive(rewards: Tensor) -> Bool[Tensor, "prompts levels"]:
    return rewards.nansum(-1) > 0


SELECTIONS: dict[str, Callable[[Tensor], Bool[Tensor, "prompts levels"]]] = {
    "first_nonzero": _has_positive,
    "first_with_variance": has_variance,
}
"""Name to the test that the selected level is the first to pass."""


def select_level(
    rewards: Float[Tensor, "prompts levels group"], selection: str = "first_nonzero"
) -> Int[Tensor, " prompts"]:
    """Return the hint level whose completions each prompt's update uses; 0 where none qualifies.

    Args:
        rewards: accuracy of each completion; NaN where unscorable.
        selection: one of ``SELECTIONS``.

    Raises:
        ValueError: for an unknown selection or another shape.
    """
    if selection not in SELECTIONS:
        raise ValueError(f"hint selection {selection!r} is not one of {', '.join(SELECTIONS)}")
    if rewards.ndim != 3:
        raise ValueError(
            f"rewards have shape {tuple(rewards.shape)}; expected [prompts, levels, group]"
        )
    # argmax need not return the first maximum, so count the levels before the first hit.
    passed = SELECTIONS[selection](rewards).long().cumsum(1)
    first = (passed == 0).sum(1)
    return first.masked_fill(passed[:, -1] == 0, 0)


def take_level(
    values: Shaped[Tensor, "prompts levels group"], level: Int[Tensor, " prompts"]
) -> Shaped[Tensor, "prompts group"]:
    """Return each prompt's row of ``values`` at its selected level."""
    return values[torch.arange(len(values), device=values.device), level]
