"""Multiple choice: which options a question lists, and which one an answer chooses.

An answer chooses by its letter, first ("B", "(b) 5 cm", "B, because …"), announced ("the answer is
B"), in brackets or last ("I would go with B"), or by the text or the value of one option. Two
letters without a decision, all options in a row, and a letter that is denied choose nothing; so
does a letter beside the text of another option.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from noisygrpo.rewards.numeric import equal, parse_number
from noisygrpo.rewards.polarity import polarity_pair, read_polarity, read_sign
from noisygrpo.rewards.prose import is_bounded
from noisygrpo.rewards.spelling import normalize, plain, words
from noisygrpo.rewards.statement import announced, claim, complement, refuses

__all__ = [
    "LETTERS",
    "chosen_letter",
    "only_mentioned",
    "options_of",
    "polarity_pair",
    "read_polarity",
    "split_options",
    "target_letter",
]

LETTERS = "ABCDEFGHIJK"

_MARKER = re.compile(rf"(?<![A-Za-z0-9])\(?([{LETTERS}])[.):]\)?(?=\s|\S)\s*")
_TARGET = re.compile(
    rf"[(\[<{{]\s*([{LETTERS}])\s*[)\]>}}](?!\w)|([{LETTERS}])(?=\s*(?:[.):,]|-\s)|\s*$)"
)
_LEAD = re.compile(
    r"(?:[\s\"'*<>{:]|(?:the\s+)?(?:correct|right|best|final)\b|(?:option|choice|answer|letter|选项"
    r"|选择?)s?\b\s*:?)*",
    re.IGNORECASE,
)
_FIRST = re.compile(
    rf"(?:[(\[<{{]\s*(?P<bracket>[{LETTERS}{LETTERS.lower()}])\s*[)\]>}}]"
    rf"|(?P<bare>[{LETTERS}])(?![A-Za-z0-9'*+=^/_]|\s*/|-\w)"
    rf"|(?P<small>[{LETTERS.lower()}])(?=\s*(?:[.):,]|$)))[.):,;>\]*}}]*\s*"
)
_OTHER = re.compile(
    rf"[(\[<{{]\s*([{LETTERS}])\s*[)\]>}}]|(?<![\w'.])([{LETTERS}])(?=\s*[.):,;/]|\s*$|\s+(?:or"
    rf"|and)\b)|\b(?:or|and|both|either)\s+([B-K])\b"
)
_BRACKETED = re.compile(rf"(?<![\w])[(\[]\s*([{LETTERS}])\s*[)\]](?!\w)")
_LAST = re.compile(r"(?<![\w'.-])([B-K])[\s.!)\]*\"']*$")
_EXPLAINS = re.compile(
    r"\b(?:because|since|as|which|that|so|for|explanation|reason(?:ing)?|is|are|was|has|fits"
    r"|matches|seems|looks|due)\b|\n|[.!]\s|因为",
    re.IGNORECASE,
)
_ALTERNATIVE = re.compile(
    r"\b(?:or|maybe|perhaps|possibly|either)\b[^.\n]{0,20}?(?<![\w'])[(\[]?(?:[B-K]|A(?=[)\].,]"
    r"|\s*$))(?![\w'])",
    re.IGNORECASE,
)
_NOT_OTHER = re.compile(
    rf"(?:,?\s*(?:and\s+|but\s+)?not|,?\s*rather\s+than"
    rf"|,?\s*instead\s+of)\s+(?:option\s+)?[(\[]?[{LETTERS}][)\]]?(?!\w)"
)
_OPEN = r"(?:could|may|might|also|possibl[ey]|plausible|equally)"
_ALSO = re.compile(
    rf"\b{_OPEN}\b[^.\n]{{0,60}}?(?<![\w'])[B-K](?![\w'])"
    rf"|(?<![\w'])[B-K](?![\w'])[^.\n]{{0,60}}?\b{_OPEN}\b"
)
_DENIED = re.compile(
    r"^[\s,.:-]*(?:is|was|are|seems?|looks|would\s+be|must\s+be|can)?\s*(?:definitely\s+"
    r"|clearly\s+)?"
    r"(?:not\b|n't\b|wrong|incorrect|false|impossible|unlikely|out\b|excluded|ruled\s+out|错|不)"
    r"|^\s*(?:isn't|can't|cannot|wasn't)\b|^\s*\?",
    re.IGNORECASE,
)
_LONGEST = 4000


def options_of(question: str) -> dict[str, str]:
    """Return {letter: text} of the choices listed in a question, {} if there are none."""
    return split_options(question)[1]


def split_options(question: str) -> tuple[str, dict[str, str]]:
    """Return the question before its choices, and the choices as {letter: text}.

    Understood: ``A. text``, ``(A) text``, ``A) text``, ``A: text``, in lines or in a row, from A on
    without gaps, at least two. Without choices the whole question comes back.
    """
    markers = list(_MARKER.finditer(question))
    for start in reversed([index for index, m in enumerate(markers) if m.group(1) == "A"]):
        run = [markers[start]]
        for marker in markers[start + 1 :]:
            if len(run) < len(LETTERS) and marker.group(1) == LETTERS[len(run)]:
                run.append(marker)
        if len(run) >= 2:
            ends = [marker.start() for marker in run[1:]] + [len(question)]
            texts = [question[m.end() : end].strip() for m, end in zip(run, ends, strict=True)]
            options = {marker.group(1): text for marker, text in zip(run, texts, strict=True)}
            return question[: run[0].start()].rstrip(), options
    return question, {}


def target_letter(target: str) -> str | None:
    """Return the letter of a multiple-choice target: ``B``, ``(B)``, ``B.``, ``B. five cm``."""
    match = _TARGET.match(plain(target))
    return (match.group(1) or match.group(2)) if match else None


def chosen_letter(prediction: str, options: Mapping[str, str] | None = None) -> str | None:
    """Return the letter that an answer chooses, None if it is none or several.

    ``options``: {letter: text} where they are known (a text may be empty); a letter that is none
    of them chooses nothing.
    """
    options = options or {}
    text = _spaced(plain(prediction)[:_LONGEST])
    whole = _by_text(text, options)
    if whole is not None:
        return whole
    said = announced(text)
    letter = _read(said, options) if said is not None else None
    if letter is None and (said is None or not _names_letter(said)):
        letter = _read(text, options)
    if letter is None:
        letter = _by_text(claim(text), options) or _by_mention(claim(text), options)
    return letter if letter is None or not options or letter in options else None


def _spaced(text: str) -> str:
    """Blanks between Latin letters and Chinese, whose "or" and "and" become English."""
    text = re.sub(r"(?<=[\u3400-\u9fff])(?=[A-Za-z])|(?<=[A-Za-z])(?=[\u3400-\u9fff])", " ", text)
    return re.sub(
        r"\s*[和与]\s*(?=[A-K]\b)", " and ", re.sub(r"\s*或者?\s*(?=[A-K]\b)", " or ", text)
    )


def _names_letter(said: str) -> bool:
    return _OTHER.search(said) is not None or refuses(said)


def _read(text: str, options: Mapping[str, str]) -> str | None:
    """The letter by which ``text`` chooses: its first one, the only bracketed one, or its last."""
    lead = _LEAD.match(text)
    text = text[lead.end() :] if lead else text
    if _ALTERNATIVE.search(text):
        return None
    first = _FIRST.match(text)
    if first is None:
        return _somewhere(text)
    letter = next(group for group in first.groups() if group).upper()
    rest = _NOT_OTHER.sub("", text[first.end() :])
    if first.group("bare") == "I" and re.match(r"[a-z]", rest):
        return _somewhere(text)
    if (
        first.group("bare") == "A"
        and re.match(r"[a-z]", rest)
        and not re.search(r"[.):,;\n]", first.group())
    ):
        return None if not _says_option(rest, options, "A") else "A"  # the article
    if _DENIED.match(rest) or _ALSO.search(rest) or _contradicts(rest, letter, options):
        return None
    if first.group("bare") and rest and not _may_follow(first.group(), rest, letter, options):
        return None
    return letter


def _says_option(rest: str, options: Mapping[str, str], letter: str) -> bool:
    own = normalize(options.get(letter, ""))
    return bool(own) and normalize(rest).startswith(own)


def _may_follow(marker: str, rest: str, letter: str, options: Mapping[str, str]) -> bool:
    """What may follow a bare letter without a mark: its option, a reason, a dash, a line break."""
    if re.search(r"[.):,;\n\]>*}]", marker) or re.match(r"[-(\"'\u3400-\u9fff]|\\cdot", rest):
        return True
    if not options or not any(options.values()):
        return _EXPLAINS.match(rest) is not None
    return _says_option(rest, options, letter) or _EXPLAINS.match(rest) is not None


def _contradicts(rest: str, letter: str, options: Mapping[str, str]) -> bool:
    """Whether another letter, or another option's text, stands beside the first letter."""
    stop = _EXPLAINS.search(rest)
    head = rest[: stop.start()] if stop and not _says_option(rest, options, letter) else rest[:200]
    for match in _OTHER.finditer(head):
        if next(group for group in match.groups() if group) != letter:
            return True
    lines = [line for line in rest.split("\n")[1:] if line.strip()]
    if any(_starts_with_other(line, letter) for line in [rest.lstrip().split("\n")[0], *lines]):
        return True
    said = normalize(head)
    own = normalize(options.get(letter, ""))
    others = {normalize(text) for key, text in options.items() if key != letter} - {""}
    return (
        bool(said)
        and said != own
        and any(
            said == other or said.startswith(other + " ")
            for other in others
            if not own.startswith(other)
        )
    )


def _starts_with_other(line: str, letter: str) -> bool:
    match = re.match(rf"\s*[(\[]?([{LETTERS}])(?:[)\].:,;/]|\s*$)", line)
    if match is None or match.group(1) == letter:
        return False
    return re.match(r"\s*(?:is|was|has|would|are|does|shows)\b", line[match.end() :]) is None


def _somewhere(text: str) -> str | None:
    """The only letter in brackets, or a letter at the very end; neither in a denying sentence."""
    found = set(_BRACKETED.findall(text))
    last = _LAST.search(text)
    if last is not None and len(text) < 200:
        found.add(last.group(1))
    if len(found) != 1 or refuses(text):
        return None
    return found.pop()


def _by_text(text: str, options: Mapping[str, str]) -> str | None:
    """The option whose text or value is the whole answer, None if none or several are."""
    wanted = words(text)
    named = {key for key, option in options.items() if option}
    same = [key for key in named if words(options[key]) == wanted] if wanted else []
    if len(same) == 1:
        return same[0]
    exact = [key for key in named if plain(options[key]).strip(" .") == text.strip(" .")]
    if len(exact) == 1:
        return exact[0]
    number = parse_number(text) if len(text) < 100 else None
    if number is not None:
        values = {key: parse_number(options[key]) for key in named}
        agree = [key for key, value in values.items() if value and equal(number, value)]
        return agree[0] if len(agree) == 1 else None
    signs = {key: read_sign(options[key]) for key in named if len(words(options[key])) == 1}
    if sorted(signs.values(), key=str) == [False, True] and len(named) == 2:
        sign = read_sign(text)
        return next((key for key, value in signs.items() if value == sign), None)
    return None


def _by_mention(text: str, options: Mapping[str, str]) -> str | None:
    """The one option that a sentence says of its subject: "The ball is red"."""
    if len(text) > 300 or is_bounded(text):
        return None
    said = complement(text)
    return _by_text(said, options) if said else None


def only_mentioned(text: str, options: Mapping[str, str]) -> str | None:
    """The letter of the one option whose text occurs in ``text`` as whole words.

    An option that is part of another ("blue" in "dark blue") does not count where the longer one
    occurs, nor does one that only a longer number contains.
    """
    within = f" {normalize(text)} "
    texts = {key: normalize(option) for key, option in options.items()}
    found = {key: said for key, said in texts.items() if said and f" {said} " in within}
    longest = [
        key
        for key, said in found.items()
        if not any(said != other and f" {said} " in f" {other} " for other in found.values())
    ]
    return longest[0] if len(longest) == 1 else None
