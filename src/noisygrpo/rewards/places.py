"""Places under their usual names: a town with its country behind it, a country by its letters.

Which names are countries is knowledge that no rule of form can have: `Paris, France` looks like
`Paris, Lyon`. The list has the members of the United Nations and what is commonly written behind a
town beside them, without Georgia: Athens, Georgia, lies in a state. A country that stands alone may
be one of several, and is never left out.
"""

from __future__ import annotations

import re
from functools import cache

from noisygrpo.rewards.reading import asks_to_read
from noisygrpo.rewards.spelling import plain, words

LONGEST = 80
"""A longer text is no place."""

COUNTRIES = """
Afghanistan, Albania, Algeria, Andorra, Angola, Argentina, Armenia, Australia, Austria,
Azerbaijan, Bahamas, Bahrain, Bangladesh, Barbados, Belarus, Belgium, Belize, Benin, Bhutan,
Bolivia, Bosnia and Herzegovina, Botswana, Brazil, Brunei, Bulgaria, Burkina Faso, Burundi, Cabo
Verde, Cambodia, Cameroon, Canada, Cape Verde, Central African Republic, Chad, Chile, China,
Colombia, Comoros, Congo, Costa Rica, Croatia, Cuba, Cyprus, Czech Republic, Czechia, Denmark,
Djibouti, Dominica, Dominican Republic, Ecuador, Egypt, El Salvador, England, Equatorial Guinea,
Eritrea, Estonia, Eswatini, Ethiopia, Fiji, Finland, France, Gabon, Gambia, Germany,
Ghana, Great Britain, Greece, Grenada, Guatemala, Guinea, Guinea-Bissau, Guyana, Haiti, Honduras,
Hungary, Iceland, India, Indonesia, Iran, Iraq, Ireland, Israel, Italy, Ivory Coast, Jamaica,
Japan, Jordan, Kazakhstan, Kenya, Kiribati, Kosovo, Kuwait, Kyrgyzstan, Laos, Latvia, Lebanon,
Lesotho, Liberia, Libya, Liechtenstein, Lithuania, Luxembourg, Madagascar, Malawi, Malaysia,
Maldives, Mali, Malta, Marshall Islands, Mauritania, Mauritius, Mexico, Micronesia, Moldova,
Monaco, Mongolia, Montenegro, Morocco, Mozambique, Myanmar, Namibia, Nauru, Nepal, Netherlands,
New Zealand, Nicaragua, Niger, Nigeria, North Korea, North Macedonia, Northern Ireland, Norway,
Oman, Pakistan, Palau, Palestine, Panama, Papua New Guinea, Paraguay, Peru, Philippines, Poland,
Portugal, Qatar, Romania, Russia, Rwanda, Saint Lucia, Samoa, San Marino, Saudi Arabia, Scotland,
Senegal, Serbia, Seychelles, Sierra Leone, Singapore, Slovakia, Slovenia, Solomon Islands,
Somalia, South Africa, South Korea, South Sudan, Spain, Sri Lanka, Sudan, Suriname, Sweden,
Switzerland, Syria, Taiwan, Tajikistan, Tanzania, Thailand, Timor-Leste, Togo, Tonga, Trinidad and
Tobago, Tunisia, Turkey, Türkiye, Turkmenistan, Tuvalu, UAE, UK, USA, Uganda, Ukraine, United Arab
Emirates, United Kingdom, United States, United States of America, Uruguay, Uzbekistan, Vanuatu,
Vatican City, Venezuela, Vietnam, Wales, Yemen, Zambia, Zimbabwe
"""

_SAME = (
    ("New York", "New York City", "NYC"),
    ("United States", "United States of America", "USA", "the US"),
    ("United Kingdom", "UK"),
    ("United Arab Emirates", "UAE"),
    ("Czech Republic", "Czechia"),
    ("Turkey", "Türkiye"),
    ("Ivory Coast", "Côte d'Ivoire"),
    ("Cape Verde", "Cabo Verde"),
)
"""Names of one place each. New York is a state too: a question for states tells them apart."""
_STATE = re.compile(r"\bstates?\b(?!\s+of\s+(?:the\s+)?(?:person|matter|mind))", re.IGNORECASE)
_IN_COUNTRY = re.compile(r"(?P<town>[^\W\d][^,()\d]+)(?:,\s*|\s*\()(?P<country>[^,()]+)\)?\s*\.?")
_US = re.compile(r"(?:[Tt]he )?U\.?S\.?")


def same_place(answer: str, target: str, question: str) -> bool:
    """Whether an answer is its target's place, by another name or with the country behind it.

    Args:
        answer: as it was read.
        target: a place's name; any other text is equal to nothing here.
        question: one for states takes New York City for no name of New York, and one for what is
            written takes names as they are spelled.
    """
    if max(len(answer), len(target)) > LONGEST or "," in target:
        return False
    said, wanted = _place(answer), _place(target)
    if wanted in _names() and _name(said, question) == _name(wanted, question):
        return True
    behind = _IN_COUNTRY.fullmatch(plain(answer).strip())
    if behind is None or _place(behind["country"]) not in _countries():
        return False
    town = _place(behind["town"])
    return town not in _countries() and _name(town, question) == _name(wanted, question) != ()


def _place(text: str) -> tuple[str, ...]:
    """The words of a name; the letters of the United States are no pronoun."""
    text = plain(text).strip()
    return words("USA") if _US.fullmatch(text) else words(text)


def _name(place: tuple[str, ...], question: str) -> tuple[str, ...]:
    """The first of the names of a place, or its own."""
    if asks_to_read(question):
        return place
    first = _names().get(place, place)
    return place if first == words("New York") and _STATE.search(question) else first


@cache
def _countries() -> frozenset[tuple[str, ...]]:
    return frozenset(words(name.strip()) for name in COUNTRIES.split(","))


@cache
def _names() -> dict[tuple[str, ...], tuple[str, ...]]:
    return {_place(name): _place(names[0]) for names in _SAME for name in names}
