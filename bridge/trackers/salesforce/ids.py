"""Salesforce's ids come with 15 characters, where case matters, or with 18, where a checksum tells the case of the others."""

import re

_ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")
_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def normal_id(value: object) -> str | None:
    """An id as 18 characters; None if it is none.

    Three checksum characters, one for every five of the 15: bit n is set if the nth of the five is a capital. A checksum that is wrong
    is left as it came.
    """
    text = value.strip() if isinstance(value, str) else ""
    if not _ID.fullmatch(text):
        return None
    whole = text[:15] + "".join(_check(text[i : i + 5]) for i in (0, 5, 10))
    return whole if len(text) == 15 or text[15:].upper() == whole[15:] else text


def is_true_id(text: str) -> bool:
    """Whether an id of 18 characters has the checksum that belongs to it."""
    return normal_id(text[:15]) == text


def same_org(one: str, other: str) -> bool:
    """Whether two organization ids, of either length, are the same."""
    return one[:15] == other[:15]


def _check(five: str) -> str:
    return _CHECKSUM[sum(1 << i for i, character in enumerate(five) if "A" <= character <= "Z")]
