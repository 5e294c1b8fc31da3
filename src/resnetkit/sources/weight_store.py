"""Weights on this machine: those that were fetched or imported, and what lies in folders of the user's.

What is kept is a classifier file, so preprocessing and origin travel with it and its head alone says what it is. Files
of others in the user's folders are known by their names, or else identified once and remembered. No torch here until a
file has to be read.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from resnetkit.classifier.description import Description
from resnetkit.classifier.file import find_description, read_description
from resnetkit.config import to_dict
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.files import write_durably
from resnetkit.models.catalog import CATALOG, find_entry
from resnetkit.models.spec import ResNetSpec
from resnetkit.sources.hub import WEIGHT_SUFFIXES
from resnetkit.sources.locate import Located, Source, locate_weights
from resnetkit.sources.published import Published, find_by_content, find_by_file_name, published_names
from resnetkit.terminal import quoted, tell

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier

VARIABLE = "RESNETKIT_WEIGHTS"


@dataclass(frozen=True)
class AtHand:
    """A weight file on this machine.

    Attributes:
        name: of the published weights that it holds, or else the file's.
        model: its network's name; None where that is open, which ``problem`` says, as anything else that is amiss.
        spec, image_size_px: the network, and what images it was made for.
        published: what is known of it where others have published it.
        is_own: a classifier file, which says everything about itself.
    """

    path: Path
    name: str
    model: str | None = None
    spec: ResNetSpec | None = None
    image_size_px: int = 0
    published: Published | None = None
    is_own: bool = False
    problem: str = ""

    @property
    def top1(self) -> float | None:
        """Accuracy in [0, 1] that its publisher states."""
        return None if self.published is None else self.published.top1


def store_folder() -> Path:
    """Folder of what was fetched and imported, beside the data sets."""
    return platformdirs.user_cache_path("resnetkit") / "weights"


def weight_folders() -> list[Path]:
    """Folders that are searched: those of the environment's RESNETKIT_WEIGHTS in order, then the store."""
    own = [Path(text).expanduser() for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text]
    return [*own, store_folder()]


def find_at_hand() -> list[AtHand]:
    """Every weight file in the searched folders; of two with the same name, the one that is found first."""
    found: dict[str, AtHand] = {}
    for folder in weight_folders():
        for path in _weight_files(folder):
            weights = _look_at(path)
            found.setdefault(weights.name, weights)
    return list(found.values())


def _weight_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in WEIGHT_SUFFIXES and path.is_file())
    except OSError:
        return []  # none is there, or none that may be read


def _look_at(path: Path) -> AtHand:
    try:
        description = find_description(path)
    except ResnetkitError as error:
        return AtHand(path, path.stem, problem=_say(error))
    if description is not None:
        return _of_description(path, description)
    published = find_by_file_name(path.name)
    if published is not None:
        return _of_network(path, published.model, published)
    if path.stem in CATALOG:
        return _of_network(path, path.stem, None)
    return _identified(path)


def _of_description(path: Path, own: Description) -> AtHand:
    rows = published_names().get(str(own.provenance.get("published")))
    model = str(own.provenance.get("model", "resnet"))
    size = own.preprocessing.image_size_px
    return AtHand(path, path.stem, model, own.model, size, rows[0] if rows else None, is_own=True)


def _of_network(path: Path, model: str, published: Published | None) -> AtHand:
    entry = find_entry(model)
    size = entry.image_size_px if published is None else published.preprocessing.image_size_px
    name = path.stem if published is None else published.name
    return AtHand(path, name, model, entry.spec, size, published)


def _identified(path: Path) -> AtHand:
    """Find what a file of an unknown name holds: read the first time, remembered by its size and time after that."""
    book = store_folder() / "identified.json"
    known, status = _read_book(book), path.stat()
    key, stamp = str(path.absolute()), [status.st_size, status.st_mtime_ns]
    entry = known.get(key, {})
    if entry.get("stamp") != stamp:
        entry = {"stamp": stamp, **_identify(path)}
        with suppress(ResnetkitError):  # a cache that cannot be written costs the reading anew
            write_durably(book, json.dumps({**_read_book(book), key: entry}).encode())
    rows = published_names().get(entry.get("published") or "")
    if entry.get("model") is None:
        return AtHand(path, path.stem, problem=str(entry.get("problem")))
    found = _of_network(path, entry["model"], rows[0] if rows else None)
    return replace(found, spec=replace(found.spec, num_classes=entry["classes"])) if found.spec else found


def _read_book(book: Path) -> dict[str, Any]:
    try:
        content = json.loads(book.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _identify(path: Path) -> dict[str, Any]:
    from resnetkit.sources.weights import open_weights

    tell(f"reading {path} to know what it is; that is remembered")
    try:
        weights = open_weights(path)
        candidate = weights.choose(None, source=str(path))
    except ResnetkitError as error:
        return {"model": None, "problem": _say(error)}
    origin = weights.origin.provenance
    return {"model": candidate.name, "classes": candidate.spec.num_classes, "published": origin.get("published")}


def _say(error: ResnetkitError) -> str:
    return error.why or error.what


def keep(source: Source, *, name: str | None = None, **stated: Any) -> tuple[AtHand, bool]:
    """Keep the weights of a file as a classifier file in the store; True if it was not there before.

    What they are is found by their digest, or else by the file's name and tensors; nothing in the file is executed.

    Args:
        name: under which they are kept; None: that of published weights, or else the file's.
        stated: what :func:`~resnetkit.sources.weights.open_classifier` takes besides: the network, preprocessing …

    Raises:
        ResnetkitError: for what is damaged, has no head or leaves a choice open; for a file that is not what its name
            says; for a name that is taken.
    """
    from resnetkit.sources.weights import open_classifier

    located = locate_weights(source)
    file = located.file
    if located.is_own:
        classifier = open_classifier(located, **stated)
    else:
        published = find_by_content(file)
        if published is None:
            published = find_by_file_name(file.name if name is None else f"{name}{file.suffix}")
            _refuse_impostor(file, published)
        classifier = open_classifier(located, **(_known_of(published) | stated))
        if published is not None and "published" not in classifier.provenance:
            classifier = _with_origin(classifier, published)
    return _write(classifier, _checked_name(name or str(classifier.provenance.get("published", "")) or _stem(source)))


def keep_fetched(file: Path, published: Published, checked: str) -> AtHand:
    """Keep a download of a row of the table.

    Args:
        checked: how it was made sure that it is the file.
    """
    from resnetkit.sources.weights import open_classifier

    classifier = open_classifier(file, **_known_of(published))
    place = {"weights": published.url, "checked": checked}
    classifier = _with_origin(classifier, published)
    return _write(replace(classifier, provenance={**classifier.provenance, **place}), published.name)[0]


def _known_of(published: Published | None) -> dict[str, Any]:
    if published is None:
        return {}
    return {"model": published.model, "preprocessing": to_dict(published.preprocessing)}


def _with_origin(classifier: Classifier, published: Published) -> Classifier:
    from resnetkit.sources.origins import provenance_of

    return replace(classifier, provenance={**classifier.provenance, **provenance_of(published)})


def _refuse_impostor(file: Path, published: Published | None) -> None:
    """Refuse a file that has the name of a published one and other content."""
    if published is None or published.digest is None or published.file_name != file.name:
        return
    raise ResnetkitError(
        Code.WEIGHTS,
        f"{file} is not the file that {published.origin} published under this name",
        why=f"its checksum is not {published.say_digest()}: it is damaged, or another file",
        fix=f"get it again: {published.url}; or give it another name, if it is meant to be another",
    )


def _stem(source: Source) -> str:
    path = Path(source.text if isinstance(source, Located) else source)
    return path.name if path.is_dir() else path.stem


def _checked_name(name: str) -> str:
    require(
        re.fullmatch(r"[\w][\w.,=\[\]-]*", name) is not None,
        f"weights cannot be called {quoted(name)}",
        fix="give a name of letters, digits, dots and dashes: --name my_weights",
    )
    return name


def _write(classifier: Classifier, name: str) -> tuple[AtHand, bool]:
    path = store_folder() / f"{name}.safetensors"
    if path.is_file():
        there = read_description(path)
        same = (there.model, there.preprocessing, there.class_names, there.provenance.get("sha256")) == (
            *(classifier.network.spec, classifier.preprocessing, classifier.class_names),
            classifier.provenance.get("sha256"),
        )
        require(
            same,
            f"other weights are kept as '{name}' already",
            fix=f"give another name with --name, or remove {path}",
            code=Code.WEIGHTS,
        )
        return _of_description(path, there), False
    classifier.save(path)
    return _of_description(path, read_description(path)), True
