"""Multiple choice: which options a question lists, and which one an answer chooses.

An answer chooses by its letter, first ("B", "(b) 5 cm", "B, because …"), announced ("the answer is
B"), in brackets or last ("I would go with B"), or by the text or the value of one option. Two
letters without a decision, all options in a row, and a letter that is denied choose nothing; so
does a letter beside the text of another option.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from noisygrpo.rewards.options import LETTERS, by_text, options_of, split_options
from noisygrpo.rewards.polarity import polarity_pair, read_polarity
from noisygrpo.rewards.spelling import normalize, plain, word_set, words
from noisygrpo.rewards.statement import announced, first_sentence, refuses

__all__ = [
    "LETTERS",
    "chosen_letter",
    "options_of",
    "polarity_pair",
    "read_polarity",
    "split_options",
    "target_letter",
]


_TARGET = re.compile(
    rf"[(\[<{{]\s*([{LETTERS}])\s*[)\]>}}](?!\w)|([{LETTERS}])(?=\s*(?:[):,]|\.(?![A-Z]\b))|\s*$)"
)
_LEAD = re.compile(
    r"(?:[\s\"'*<>{:]|(?:the\s+)?(?:correct|right|best|final)\b|(?:option|choice|answer|ans"
    r"|letter|选项"
    r"|选择?)s?\b\s*:?)*",
    re.IGNORECASE,
)
_FIRST = re.compile(
    rf"(?:[(\[<{{]\s*(?P<bracket>[{LETTERS}{LETTERS.lower()}])\s*[)\]>}}]"
    rf"|(?P<bare>[{LETTERS}])(?![A-Za-z0-9'*+=^/_]|\s*/|-\w|-\s*$)"
    rf"|(?P<small>[{LETTERS.lower()}])(?=\s*(?:[.):,!]|$)))[.):,;!>\]*}}]*[ \t]*"
)
_OTHER = re.compile(
    rf"[(\[<{{]\s*([{LETTERS}])\s*[)\]>}}]|(?<![\w'.])([{LETTERS}])(?=\s*[.):,;/]|\s*$|\s+(?:or"
    rf"|and)\b)|\b(?:or|and|both|either)\s+([B-K])\b"
)
_LAST = re.compile(
    rf"(?:[(\[]\s*([{LETTERS}{LETTERS.lower()}])\s*[)\]]"
    rf"|(?<![\w'.-])([B-K])(?![A-Za-z0-9]|'[a-z]))(?P<rest>(?:(?![(\[]\s*[a-k]\s*[)\]])[^A-K]){{0,80}})$"
)
_ENDINGS = ("remains", "it is", "then")
"""What may follow a chosen letter at the end of a sentence."""
_CONCLUDES = re.compile(r"[.!?\n]\s*|,\s*(?=(?:so|therefore|thus|hence)\b)", re.IGNORECASE)
_BEFORE = word_set(
    "i i'd i'll would will go with for on pick choose select guess think believe say it it's is"
    " must be so therefore thus hence my the answer option choice letter final correct right best"
    " definitely probably surely clearly only that this me to should have we conclude conclusion in"
    " one value result"
)
"""Words that may stand before a letter that is chosen at the end of a sentence."""
_EXPLAINS = re.compile(
    r"\b(?:because|since|as(?!\s+well)|which|that|so|for|explanation|reason(?:ing)?|is|are|was|has|fits"
    r"|matches|seems|looks|due)\b|\n|[.!]\s|因为",
    re.IGNORECASE,
)
_REASONS = re.compile(r"(?:because|since)\b")
_NAMED = re.compile(r"\b(?:option|choice|letter)\s+$", re.IGNORECASE)
_SENTENCE = re.compile(r"(?:The|This|That|These|It|There|In|Because|Since)\s")
"""What begins a sentence behind a letter without a mark; no name does ("C Major")."""
_REMAINING = re.compile(
    r"\b[Tt]he\s+(?:others\b|(?:other|remaining)\s+(?:option|choice|answer|letter)s\b)"
    r"[^.\n]*\b(?:not|wrong|incorrect)\b[^.\n]*"
)
_CLAIMED = re.compile(
    rf"\b(?:is|be|are)\s+(?:option\s+)?[(\[]?([{LETTERS}])[)\]]?(?=\s*[.,;]|\s*$)"
)
_ALTERNATIVE = re.compile(
    r"\b(?:or|maybe|perhaps|possibly|either)\b[^.\n]{0,20}?(?<![\w'])[(\[]?(?:[B-K]|A(?=[)\].,]"
    r"|\s*$))(?![\w'])",
    re.IGNORECASE,
)
_NOT_OTHER = re.compile(
    rf"(?:,?\s*(?:and\s+|but\s+)?not|,?\s*rather\s+than"
    rf"|,?\s*instead\s+of)\s+(?:options?\s+)?[(\[]?[{LETTERS}][)\]]?(?!\w)"
    rf"(?:\s*(?:,|,?\s*\bn?or\b|\band\b)\s*[(\[]?[{LETTERS}][)\]]?(?![\w']))*"
)
_OPEN = r"(?:could|may|might|also|possibl[ey]|plausible|equally)"
_ALSO = re.compile(
    rf"\b{_OPEN}\b[^.\n]{{0,60}}?(?<![\w'])[B-K](?![\w'])"
    rf"|(?<![\w'])[B-K](?![\w'])[^.\n]{{0,60}}?\b{_OPEN}\b"
)
_VERB = re.compile(
    r"\s*(?:is|was|are|has|have|had|can|could|should|would|will|may|might|must|does|do|did|seems?"
    r"|looks"
    r"|cannot|\w+n't)\b",
    re.IGNORECASE,
)
_AFFIRMED = re.compile(
    r"\s*(?:is|was|seems|looks|must\s+be|should\s+be|would\s+be|has\s+to\s+be)\s+(?:to\s+be\s+)?"
    r"(?:(?:clearly|definitely|probably|therefore|thus|indeed|obviously|surely|simply|the|my|our"
    r"|only|most"
    r"|final|more)\s+)*"
    r"(?:correct|right|true|best|answer|choice|option|likely|one|it|valid|appropriate|suitable"
    r"|closest"
    r"|possible|match)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"[\s,.:-]*(?:not\b|wrong|incorrect|false|错|不)|\s*\?", re.IGNORECASE)
_MARKED = re.compile(
    rf"(?:[(\[]?([{LETTERS}])[.):\]]+\s*|([{LETTERS}])\s+(?=[-\d.,$%]+$))\S.*"
    rf"|.*\S\s*[(\[]([{LETTERS}])[)\]]|.*\S\s[(\[]([{LETTERS.lower()}])[)\]]",
    re.DOTALL,
)
"""An option's letter in front of a text or behind it."""
_LONGEST = 4000


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
    letter = by_text(text, options)
    if letter is not None and _marked_otherwise(text, letter, options):
        return None
    letter = letter or _read_claim(text, options)
    return letter if letter is None or not options or letter in options else None


def _marked_otherwise(text: str, letter: str, options: Mapping[str, str]) -> bool:
    """Whether an option's text or value stands beside the letter of another one: "A. 4", "4 (C)".

    An option may itself have such a mark: "A. Smith".
    """
    if plain(options[letter]).strip(" .") == text.strip(" ."):
        return False
    marked = _MARKED.fullmatch(text.strip(" .*"))
    mark = next(filter(None, marked.groups())).upper() if marked else letter
    return mark != letter and mark in options


def _read_claim(text: str, options: Mapping[str, str]) -> str | None:
    said = announced(text)
    letter = _read(said, options) if said is not None else None
    if letter is None and (said is None or not _names_letter(said)):
        letter = _read(text, options)
    return letter


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
    if _ALTERNATIVE.search(_NOT_OTHER.sub("", text)):
        return None
    first = _FIRST.match(text)
    if first is None:
        return _concluded(text, options)
    letter = next(group for group in first.groups() if group).upper()
    rest = _NOT_OTHER.sub("", text[first.end() :])
    if (
        first.group("bare") in ("A", "I")
        and re.match(r"[a-z]", rest)
        and first.group()[1:].isspace()
    ):
        own = first.group("bare") == "A" and _says_option(rest, options, "A")
        own = own or _REASONS.match(rest) is not None or (lead and _NAMED.search(lead.group()))
        if not own and not (_VERB.match(rest) and _AFFIRMED.match(rest)):
            return _concluded(text, options)  # the article, the pronoun
    named = [key for key, option in options.items() if normalize(option) == normalize(rest) != ""]
    if named:  # whatever letters its text has: "B. Solution A"
        return letter if letter in named else None
    if not _says_option(rest, options, letter):
        denied = _VERB.match(rest) is not None and _AFFIRMED.match(rest) is None
        if denied or _DENIED.match(rest):
            return None
    elif _denies(rest, options, letter):
        return None
    if _ALSO.search(rest) or _contradicts(rest, letter, options):
        return None
    bare = first.group("bare") or first.group("small")
    return letter if not bare or _may_follow(first, rest, letter, options) else None


def _says_option(rest: str, options: Mapping[str, str], letter: str) -> bool:
    own = normalize(options.get(letter, ""))
    return bool(own) and normalize(rest).startswith(own)


def _denies(rest: str, options: Mapping[str, str], letter: str) -> bool:
    """Whether a sentence takes back the option that it begins with: "a cat is not shown"."""
    own = len(words(options.get(letter, "")))
    behind = re.split(r"[.\n]", " ".join(rest.split(" ")[own:]))[0]
    return _VERB.match(behind) is not None and re.search(r"\bnot\b|n't\b", behind) is not None


def _may_follow(first: re.Match[str], rest: str, letter: str, options: Mapping[str, str]) -> bool:
    """What may follow a letter without brackets: its option, a reason, a mark, a line break."""
    if not rest or _says_option(rest, options, letter) or _EXPLAINS.match(rest):
        return True
    if first.group("small"):
        return re.search(r"[.):]", first.group()) is not None
    marked = re.search(r"[.):,;!\n\]>*}]", first.group()) is not None
    return (
        marked
        or _SENTENCE.match(rest) is not None
        or re.match(r"[-(\"'\u3400-\u9fff]|\\cdot", rest) is not None
    )


def _contradicts(rest: str, letter: str, options: Mapping[str, str]) -> bool:
    """Whether another letter, or another option's text, stands beside the first letter."""
    stop = _EXPLAINS.search(rest)
    head = rest[: stop.start()] if stop and not _says_option(rest, options, letter) else rest[:200]
    for match in _OTHER.finditer(_REMAINING.sub("", head)):
        if next(group for group in match.groups() if group) != letter:
            return True
    about = re.match(r"(?:it|this|that)\b", rest, re.IGNORECASE)  # "C. It is 5 cm"
    said = by_text(first_sentence(rest), options) if about else None
    if said not in (None, letter) or any(each != letter for each in _CLAIMED.findall(rest)):
        return True
    lines = [line for line in rest.split("\n")[1:] if line.strip()]
    if any(_starts_with_other(line, letter) for line in [rest.lstrip().split("\n")[0], *lines]):
        return True
    said = f" {normalize(head)} "
    own = f" {normalize(options.get(letter, ''))} "
    others = {normalize(text) for key, text in options.items() if key != letter} - {""}
    return said != own and any(f" {o} " in said for o in others if f" {o} " not in own)


def _starts_with_other(line: str, letter: str) -> bool:
    match = re.match(rf"\s*[(\[]?([{LETTERS}])(?:[)\].:,;/]|\s*$)", line)
    if match is None or match.group(1) == letter:
        return False
    return re.match(r"\s*(?:is|was|has|would|are|does|shows)\b", line[match.end() :]) is None


def _concluded(text: str, options: Mapping[str, str]) -> str | None:
    """The letter at the end of the last sentence: "I would go with C", "So (B)", "5 cm (B)"."""
    text = _NOT_OTHER.sub("", text).rstrip(" .!\n>")
    starts = [match.end() for match in _CONCLUDES.finditer(text)]
    clause = text[starts[-1] :] if starts else text
    last = _LAST.search(clause)
    if last is None or len(clause) > 200:
        return None
    letter = (last.group(1) or last.group(2)).upper()
    before, rest = clause[: last.start()].strip(" ,:"), last.group("rest").strip(" .!)>]*\"'")
    if rest and not (
        _AFFIRMED.match(f" {rest}") or _says_option(rest, options, letter) or rest in _ENDINGS
    ):
        return None
    if all(word.lower() in _BEFORE for word in re.findall(r"[\w']+", before)):
        return letter
    own = options.get(letter, "")
    return letter if own and by_text(before, options) == letter else None
