"""Names of classes and folders: compared in one Unicode form, and shown so that alike ones can be told apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from resnetkit.terminal import shown

SHOWN_NAMES = 10


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


def quoted(name: str) -> str:
    """A name in quotation marks; what cannot be seen in it is escaped.

    >>> print(quoted("cat"), quoted("caf\\u00e9"), quoted("a\\u200bb"), quoted("cat "))
    'cat' 'café' 'a\\u200bb' 'cat '
    """
    return f"'{shown(name)}'"


def apart(names: Sequence[str]) -> str:
    """Alike names so that the difference shows: in escapes where they may look the same on the screen."""
    return " and ".join(ascii(name) for name in names)


def listed(names: Sequence[str], limit: int = SHOWN_NAMES) -> str:
    """Names for a sentence, the first few of many.

    >>> listed(["cat", "dog"]), listed(["a", "b", "c"], 2)
    ("'cat', 'dog'", "'a', 'b' and 1 more")
    """
    text = ", ".join(quoted(name) for name in names[:limit])
    return text if len(names) <= limit else f"{text} and {len(names) - limit:,} more"
