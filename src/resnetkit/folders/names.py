"""Names of classes and folders: compared in one Unicode form, and shown so that alike ones can be told apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence


def one_form(name: str) -> str:
    """A name in Unicode's composed form (NFC), in which classes are compared.

    An accent can be written as a sign of its own or as part of its letter; systems differ in which they keep.

    >>> one_form("cafe\\u0301") == "caf\\u00e9"
    True
    """
    return unicodedata.normalize("NFC", name)


def alike(name: str) -> str:
    """Strip a name of letter case, spaces and invisible signs; names that are alike then are easily taken for one.

    >>> alike("Cat ") == alike("cat"), alike("ice\\u00a0cream") == alike("Ice cream")
    (True, True)
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(sign for sign in folded if unicodedata.category(sign)[0] not in "CZ")


def lookalikes(names: Iterable[str]) -> list[list[str]]:
    """Groups of different names that are alike."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(alike(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def apart(names: Sequence[str]) -> str:
    """Alike names so that the difference shows: in escapes where they may look the same on the screen."""
    return " and ".join(ascii(name) for name in names)
