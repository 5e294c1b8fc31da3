"""Names of classes, from a file or a named data set."""

from __future__ import annotations

import json
from pathlib import Path

from resnetkit.data.datasets import DATASETS
from resnetkit.errors import Code, ResnetkitError, did_you_mean

MAX_BYTES = 16 * 2**20


def read_class_names(source: str) -> tuple[str, ...]:
    """Class names in the order of a network's outputs.

    ``source`` is the name of a data set, a text file with one name a line, or JSON: a list, or a mapping from
    position to name, such as Hugging Face's ``id2label`` and Keras' ``imagenet_class_index``.

    >>> read_class_names("cifar10")[:3]
    ('airplane', 'automobile', 'bird')

    Raises:
        ResnetkitError: for a missing or unreadable file, and for names that are not unique.
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
        text = path.read_text(encoding="utf-8")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        names = from_json(json.loads(text)) if path.suffix == ".json" else tuple(lines)
    except (OSError, ValueError, RecursionError) as error:
        raise ResnetkitError(
            Code.USAGE, f"{source} holds no class names", why=str(error), fix="one name a line, or a JSON list"
        ) from None
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        raise ResnetkitError(
            Code.USAGE,
            f"{source} holds {'a name twice: ' + ', '.join(twice[:5]) if twice else 'no names'}",
            why="classes are told apart by their names",
        )
    return names


def from_json(content: object) -> tuple[str, ...]:
    """Names from a list, or from a mapping of positions to names or to (identifier, name).

    >>> from_json({"1": ["n01443537", "goldfish"], "0": ["n01440764", "tench"]})
    ('tench', 'goldfish')

    Raises:
        ValueError: for anything else.
    """
    if isinstance(content, dict):
        positions = {int(position): name for position, name in content.items()}
        if sorted(positions) != list(range(len(positions))):
            raise ValueError("its positions are not 0, 1, 2 …")
        content = [positions[i] for i in range(len(positions))]
    if not isinstance(content, list):
        raise ValueError("it is neither a list nor a mapping of positions")
    names = [name[-1] if isinstance(name, list) and name else name for name in content]
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError("it holds something else than names")
    return tuple(names)
