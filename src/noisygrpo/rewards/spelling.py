"""One spelling for what people and models write in many: Unicode, LaTeX, Markdown.

``plain`` keeps every difference that has a meaning. A raised digit becomes ``^{2}`` (Unicode's own
compatibility form makes ``2⁵`` into 25), a root keeps what stands under it, a prime stays a prime,
and letter case stays. ``words`` is for running text, where case, hyphens, articles, accents and
plurals have none.
"""

from __future__ import annotations

import functools
import re
import unicodedata

from noisygrpo.rewards.inflection import stem

_SQUARED = {"㎡": "m^{2}", "㎥": "m^{3}", "㎠": "cm^{2}", "㎤": "cm^{3}", "㎢": "km^{2}", "º": "°"}
_SYMBOLS = {
    **dict.fromkeys("−‐‑‒–", "-"),
    **dict.fromkeys("—―", " - "),
    **dict.fromkeys("·⋅∙•", "\\cdot "),
    **dict.fromkeys("’‘′`´", "'"),
    **dict.fromkeys("“”″", '"'),
    **dict.fromkeys("≈≃≅", "\\approx "),
    **dict.fromkeys("【「『〔", "["),
    **dict.fromkeys("】」』〕", "]"),
    **dict.fromkeys("\u200b\u200c\u200d\ufeff\ufe0f\u20e3", ""),
    "×": "\\times ",
    "÷": "/",
    "⁄": "/",
    "≤": "\\le ",
    "≥": "\\ge ",
    "≠": "\\ne ",
    "∞": "\\infty ",
    "∠": "\\angle ",
    "∈": "\\in ",
    "∪": "\\cup ",
    "∩": "\\cap ",
    "±": "\\pm ",
    "∓": "\\mp ",
    "∅": "\\emptyset ",
    "∥": "\\parallel ",
    "⊥": "\\perp ",
    "△": "\\triangle ",
    "°": "^{\\circ}",
    "∶": ":",
    "∴": "therefore ",
    "。": ". ",
    "、": ", ",
}
_ROOTS = {"√": "\\sqrt", "∛": "\\sqrt[3]", "∜": "\\sqrt[4]"}
_ROOT = re.compile(r"([√∛∜])\s*(?:\{([^{}]*)\}|\(([^()]*)\)|(\d+(?:\.\d+)?)|(\\?[a-zA-Z]))?")
_WRAPPER = re.compile(
    r"\\(?:text(?:bf|it|rm|tt|sf|normal)?|math(?:rm|bf|it|sf|tt|bb|cal|ord)|bm|boldsymbol|mbox|hbox"
    r"|operatorname\*?|emph|underline|pmb|ce)(?![a-zA-Z])\s*\{([^{}]*)\}"
)
_CIRCLED = re.compile(r"(?<=[①-⑳])(?:\s*[,，、]?\s*)(?=[①-⑳])")
_HTML = re.compile(r"</?(?:b|i|em|strong|u|p|span|code)>", re.IGNORECASE)
_ITALIC = re.compile(r"(?<![\w*)}\]])\*(?=[^\W\d_])([^*\n]+)(?<=[\w.!?'\")])\*(?![\w*({\[])")
_SCHEME = re.compile(r"\bhttps?://(?=\w)", re.IGNORECASE)
_MATH = re.compile(r"\$\$?(?=\S)([^$]*)(?<=\S)\$\$?(?!\d)")
_SPACING = re.compile(
    r"(?<!\\)\\[,;:! ]"
    r"|(?<!\\)\\(?:quad|qquad|displaystyle|textstyle|limits|left|right|[bB]igg?[lr]?)(?![a-zA-Z])"
    r"|(?<=\w)~(?=[\w\\])"
)
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\[dt]binom(?![a-zA-Z])", r"\\binom"),
        (r"\{\s*(\d+|[a-z])\s*\\choose\s*(\d+|[a-z])\s*\}", r"\\binom{\1}{\2}"),
        (r"(?<![\w}])(?:\{\s*\})?[_^]\{?(\d{1,3})\}?\s*C\s*_\{?(\d{1,3})\}?", r"\\binom{\1}{\2}"),
        (r"(?<![\w}])C_\{?(\d{1,3})\}?\s*\^\{?(\d{1,3})\}?", r"\\binom{\1}{\2}"),
        (r"\\(?:hat|vec)\s*\{\s*\\?([ijk])(?:math)?\s*\}", r"\1"),
        (r"\\(?:leq|leqslant)(?![a-zA-Z])|<=", r"\\le "),
        (r"\\(?:geq|geqslant)(?![a-zA-Z])|>=", r"\\ge "),
        (r"\\neq(?![a-zA-Z])|!=", r"\\ne "),
        (r"\\lt(?![a-zA-Z])", "<"),
        (r"\\gt(?![a-zA-Z])", ">"),
        (r"\\(?:simeq|cong|thickapprox)(?![a-zA-Z])", r"\\approx "),
        (r"\\div(?![a-zA-Z])", "/"),
        (r"\\(?:lbrace|\{)", r"\\{"),
        (r"\\(?:rbrace|\})", r"\\}"),
        (
            r"\{?\s*\}?\^\s*(?:\\circ(?![a-zA-Z])|\{\s*\\circ\s*\})|\\degree(?![a-zA-Z])",
            r"^{\\circ}",
        ),
        (r"\\([%$#_])", r"\1"),
        (r"\\&", "&"),
        (r"\\varnothing(?![a-zA-Z])", r"\\emptyset "),
        (r"\\overline\s*\{\s*([A-Z]{2})\s*\}", r"\1"),
        (r"(?<=\d{3}0)'s(?![a-z])", "s"),
        (r"\\(?:prime)(?![a-zA-Z])", "'"),
    )
)
_WORD = re.compile(
    r"(?<!\w)[-+]?\d+(?:[.,:/]\d+)*|\d+(?:[.,:/]\d+)*|[^\W\d_]+(?:'[a-z]+)?|[%€£¥$+<>=/*^#@&?\\]"
)
_ARTICLE = re.compile(r"^(?:the|a|an)\s+(?=\w)")
_INITIAL_A = re.compile(r"(?<![\w.])a[.)]\s*(?=\w)")
_INITIALS = re.compile(r"\b(?:[a-z]\.)+[a-z]\b\.?", re.IGNORECASE)
_CHARGE = re.compile(r"(?<=[A-Za-z\d)}])\^\{?(\d?[+-])\}?$")
"""The charge of an ion may stand on the line."""
_FORMULA_OF_ELEMENTS = re.compile(r"\d{0,2}(?=.*[A-Z])(?:(?:[A-Z][a-z]?|[()])(?:_\{?\d+\}?|\d+)?)+")
"""H_2O, 2H_2O, Ca(OH)_2, P_1: an index below is written on the line too."""


@functools.lru_cache(maxsize=20_000)
def plain(text: str) -> str:
    """Return ``text`` with one spelling for each sign; lines are kept, other white space is one
    blank.

    Greek letters, operators and roots become LaTeX commands, fonts and math delimiters go. A dollar
    sign that closes no formula stays as currency.
    """
    text = _tidy(text)  # no long runs of blanks for what follows
    text = _HTML.sub("", text) if "</" in text else text
    text = _MATH.sub(r" \1 ", text) if text.count("$") > 1 else text
    text = re.sub(r"(?<!\\)\\[()\[\]]", " ", text)
    text = _CIRCLED.sub(", ", text)
    text = _letters(_ROOT.sub(_root, text))
    text = re.sub(r"(?<=[\d)])\*\*(?=[\d(])", "^", text).replace("**", "")
    text = _SCHEME.sub("", _ITALIC.sub(r"\1", text) if text.count("*") > 1 else text)
    text = re.sub(r"\^(\d)\^", r"^{\1}", text)  # Pandoc's raised text
    text = re.sub(r"(?<!\w)__|__(?!\w)|`", "", text)
    text = re.sub(r"\\[,;: ](?=\d{3}(?!\d))|~(?=\d{3}(?!\d))|\{,\}", _group_sign, text)
    text = _tidy(_SPACING.sub(" ", text))
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    for _ in range(3):  # fonts in fonts
        text = _WRAPPER.sub(r" \1 ", text)
    return _tidy(text)


def _tidy(text: str) -> str:
    """One blank between words, no empty lines."""
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _group_sign(match: re.Match[str]) -> str:
    return "," if match.group() == "{,}" else " "


def _root(match: re.Match[str]) -> str:
    under = next((group for group in match.groups()[1:] if group is not None), None)
    command = _ROOTS[match.group(1)]
    return f"{command} " if under is None else f"{command}{{{under}}}"


def _letters(text: str) -> str:
    """Rewrite signs one by one; raised and lowered runs become ``^{}`` and ``_{}``."""
    if text.isascii():
        return text
    out: list[str] = []
    opened = ""
    for sign in text:
        sign = _SQUARED.get(sign, sign)
        form = unicodedata.decomposition(sign) if len(sign) == 1 else ""
        level = "^" if form.startswith("<super>") else "_" if form.startswith("<sub>") else ""
        if level != opened:
            out.append(("}" if opened else "") + (f"{level}{{" if level else ""))
            opened = level
        out.append(_letter(sign, form))
    return "".join(out) + ("}" if opened else "")


def _letter(sign: str, form: str) -> str:
    if sign in _SYMBOLS:
        return _SYMBOLS[sign]
    if form.startswith("<fraction>"):
        return " " + unicodedata.normalize("NFKC", sign).replace("⁄", "/")
    flat = unicodedata.normalize("NFKC", sign)
    out = []
    for each in flat:
        name = unicodedata.name(each, "")
        greek = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", name)
        if greek:
            letter = greek.group(2).lower().replace("lamda", "lambda")
            out.append(f"\\{letter.capitalize() if greek.group(1) == 'CAPITAL' else letter} ")
        else:
            out.append(_SYMBOLS.get(each, each))
    return "".join(out)


def word_set(text: str) -> frozenset[str]:
    """The words of a list that is written as one text."""
    return frozenset(text.split())


def squeezed(text: str) -> str:
    """``plain`` without blanks and without braces around a single sign: for equal formulas.

    A blank between letters or digits stays.
    """
    text = re.sub(r"(?<!\w)\s+|\s+(?!\w)", "", without_stops(plain(text)))
    text = text.strip(",;:").rstrip(".")
    text = _CHARGE.sub(r"\1", text) if "^" in text else text
    if "_" in text and _FORMULA_OF_ELEMENTS.fullmatch(text):
        return re.sub(r"[_{}]", "", text)
    return re.sub(r"(?<!\\)\{(\\?[a-zA-Z]+|\d)\}(?![a-zA-Z0-9])|(?<!\\)\{(\w)\}", _unbraced, text)


def _unbraced(match: re.Match[str]) -> str:
    return match.group(1) or match.group(2)


@functools.lru_cache(maxsize=20_000)
def words(text: str) -> tuple[str, ...]:
    """The words of running text: lower case, singular, without article, accents and punctuation, in
    American spelling.

    Hyphens part words. CJK text comes as one word a run. Numbers keep their signs and points, and
    signs that change a meaning (%, $, +) are words.
    """
    text = plain(text).casefold()
    text = "".join(
        sign for sign in unicodedata.normalize("NFD", text) if unicodedata.category(sign) != "Mn"
    )
    text = unicodedata.normalize("NFC", text)
    text = _INITIAL_A.sub("aa ", text)  # no article: "A. Smith", "J. A. Smith", "(A) red"
    text = _ARTICLE.sub("", re.sub(r"^[^\w\\$+-]+", "", text))
    found = [stem(word.replace("'", "")) for word in _WORD.findall(without_stops(text))]
    kept = [word for word in found[:-1] if word not in ("a", "an", "the")] + found[-1:]
    return tuple(kept)


_UNARY = re.compile(r"(?:^|[=(\[{,<>|^])\s?-(?=[\w\\(])|(?:^|\s)-(?=\$)")
_ADDRESS = re.compile(r"(?<![\w@-])(?:[\w@-]*\.(?:[a-z]{2,}|[A-Z]{2,}))+(?=[\s/,;:.)\"']|$)")
_LAST_SIGN = re.compile(r"(?<=\w)[-+]$")


def signs(text: str) -> tuple[int, str, str, str]:
    """What gives a text another meaning though its words are the same: minus signs, a last sign
    ("A-"), bars, of numbers brackets and a leading point, and addresses ("example.com").
    """
    text = plain(text).strip().removesuffix(".")
    last = _LAST_SIGN.search(text)
    shape = re.sub(r"[^()\[\]{}|]", "", text) if re.search(r"\d", text) else "|" * text.count("|")
    point = "." if re.match(r"\.\d", text) else ""
    mails = re.sub(r"\w[\w.]{0,60}@", lambda mail: mail.group().lower(), text)
    addresses = " ".join(_ADDRESS.findall(mails)).casefold()
    return len(_UNARY.findall(text)), last.group() if last else "", shape + point, addresses


def without_stops(text: str) -> str:
    """Initials without their full stops: USA for U.S.A."""
    return _INITIALS.sub(lambda match: match.group().replace(".", ""), text)


def normalize(text: str) -> str:
    """Running text for a comparison as text: its `words`, joined by blanks."""
    return " ".join(words(text))


def edit_distance(first: str, second: str) -> int:
    """Levenshtein distance: insertions, deletions and replacements of one sign."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(second, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]
