"""Names of classes, from a file or a named data set."""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from resnetkit.data.datasets import DATASETS
from resnetkit.errors import Code, ResnetkitError, did_you_mean

MAX_BYTES = 16 * 2**20
MAX_NAMES = 1_000_000
FIX = "one name a line in UTF-8, or JSON: a list, positions to names, or names to positions"
# How an editor marks what it wrote; the longer marks first, for one of UTF-32 begins with that of UTF-16.
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
         (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
SYNSET = re.compile(r"n\d{8}\s+(?P<name>\S.*)")  # a line of ImageNet's own map: WordNet's number, then the names


def read_class_names(source: str) -> tuple[str, ...]:
    """Class names in the order of a network's outputs.

    ``source`` is the name of a data set, a text file with one name a line, or JSON: a list, a mapping from position to
    name, such as Hugging Face's ``id2label`` and Keras' ``imagenet_class_index``, or from name to position, such as
    torchvision's ``class_to_idx``. Names that are there twice, as ImageNet's crane and maillot are, get their position,
    see :func:`tell_apart`.

    >>> read_class_names("cifar10")[:3]
    ('airplane', 'automobile', 'bird')

    Raises:
        ResnetkitError: for a missing or unreadable file.
    """
    if source in DATASETS:
        return DATASETS[source].class_names
    path = Path(source).expanduser()
    if not path.is_file():
        raise ResnetkitError(
            Code.USAGE, f"no file of class names at {source}", fix=did_you_mean(source, DATASETS) + ", or give a file"
        )
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("it is too large for a list of names")
        text = _decode(path.read_bytes())
        names = from_json(json.loads(text)) if _is_json(path, text) else _from_lines(text)
        if not names:
            raise ValueError("it is empty")
    except (OSError, ValueError, RecursionError) as error:
        raise ResnetkitError(Code.USAGE, f"{source} holds no class names", why=_reason(error), fix=FIX) from None
    return tell_apart(names)


def tell_apart(names: Sequence[str]) -> tuple[str, ...]:
    """Names of which each is there once: where classes share a word, each also gets its position.

    >>> tell_apart(("crane", "kite", "crane"))
    ('crane (0)', 'kite', 'crane (2)')
    """
    counts = Counter(names)
    return tuple(f"{name} ({i})" if counts[name] > 1 else name for i, name in enumerate(names))


def _decode(content: bytes) -> str:
    encoding = next((encoding for mark, encoding in MARKS if content.startswith(mark)), "utf-8")
    text = content.decode(encoding)
    if "\0" in text:
        raise ValueError("it is no text, or one in an encoding that it does not say")
    return text


def _is_json(path: Path, text: str) -> bool:
    return path.suffix.lower() == ".json" or text.lstrip().startswith(("{", "["))


def _from_lines(text: str) -> tuple[str, ...]:
    """One name a line; where every line is one of a map of ImageNet's synsets, without the number."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    synsets = [SYNSET.fullmatch(line) for line in lines]
    return tuple(found["name"] if found and all(synsets) else line for found, line in zip(synsets, lines, strict=True))


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        place = f"byte {error.start:,} is none of it: {error.object[error.start : error.start + 4]!r}"
        return f"it is not in {error.encoding.upper()} ({place})"
    if isinstance(error, json.JSONDecodeError):
        return f"it is no JSON: {error}"
    return "its JSON is nested too deep" if isinstance(error, RecursionError) else str(error)


def from_json(content: object) -> tuple[str, ...]:
    """Names from a list, or from a mapping between positions and names, or from positions to (identifier, name).

    >>> from_json({"1": ["n01443537", "goldfish"], "0": ["n01440764", "tench"]})
    ('tench', 'goldfish')
    >>> from_json({"goldfish": 1, "tench": 0})
    ('tench', 'goldfish')

    Raises:
        ValueError: for anything else.
    """
    if isinstance(content, dict):
        content = _in_order(content)
    if not isinstance(content, list):
        raise ValueError("it is neither a list nor a mapping between positions and names")
    if len(content) > MAX_NAMES:
        raise ValueError(f"it holds {len(content):,} names")
    names = [name[-1] if isinstance(name, list) and name else name for name in content]
    strange = next((name for name in names if not isinstance(name, str) or not name.strip()), None)
    if strange is not None or None in names:
        raise ValueError(f"it holds something else than names: {ascii(strange)[:60]}")
    return tuple(names)


def _in_order(content: Mapping[str, object]) -> list[object]:
    """The names of a mapping by their positions, whichever way it points."""
    to_position = all(type(value) is int for value in content.values())
    pairs = [(value, key) if to_position else (_position(key), value) for key, value in content.items()]
    positions: dict[object, object] = dict(pairs)
    if positions.keys() != set(range(len(content))):
        wrong = next((p for p, _ in pairs if p not in range(len(content))), None)
        found = "one is there twice" if wrong is None else f"one is {ascii(wrong)[:60]}"
        raise ValueError(f"its positions are not 0 to {len(content) - 1}, each once: {found}")
    return [positions[i] for i in range(len(content))]


def _position(key: str) -> object:
    return int(key) if re.fullmatch(r"[0-9]{1,9}", key) else key
