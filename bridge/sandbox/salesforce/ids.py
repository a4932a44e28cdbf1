"""Record ids: fifteen case-sensitive characters, and three more that let systems without case tell them apart.

Salesforce gives out the long form and takes both, so whoever compares ids as plain text finds out here.
"""

import re
from collections import Counter

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Z0-5]{3})?")


def full_id(text: str) -> str | None:
    """The 18 characters of an id that has 15 or 18; None if it is no id, or its last three do not fit the others."""
    if not _ID.fullmatch(text):
        return None
    full = text[:15] + _suffix(text[:15])
    return full if full.startswith(text) else None


def numbered_id(prefix: str, number: int) -> str:
    """The id of this number, of whatever the prefix stands for."""
    short = prefix + _base62(number).rjust(12, "0")
    return short + _suffix(short)


def _suffix(short: str) -> str:
    """One character for every five: which of them are upper case, the first as the lowest bit."""
    fives = (short[start : start + 5] for start in (0, 5, 10))
    return "".join(_SUFFIX[sum(character.isupper() << bit for bit, character in enumerate(five))] for five in fives)


class Ids:
    """Gives out ids, counting per prefix."""

    def __init__(self) -> None:
        self._given: Counter[str] = Counter()

    def next(self, prefix: str) -> str:
        """A new id whose first three characters say what it is the id of."""
        self._given[prefix] += 1
        return numbered_id(prefix, self._given[prefix])


def _base62(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits
