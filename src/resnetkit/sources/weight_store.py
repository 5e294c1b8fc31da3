"""Weights on this machine: those that were fetched or imported, and what lies in folders of the user's.

What is kept is a classifier file, so preprocessing and origin travel with it and its head alone says what it is. Files
of others in the user's folders are known by their content, which is read once and remembered: the checksum that their
publisher states, or else what they say of themselves. A name says nothing: v1 and v1.5 have the same tensors. No torch
here until a file has to be read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from resnetkit.classifier.description import Description
from resnetkit.classifier.file import find_description, read_description
from resnetkit.config import from_dict, to_dict
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.files import io_errors, locked, make_folder, write_durably
from resnetkit.images.spec import Preprocessing
from resnetkit.models.catalog import find_entry
from resnetkit.models.spec import ResNetSpec
from resnetkit.sources.hub import WEIGHT_SUFFIXES
from resnetkit.sources.locate import Located, Source, locate_weights
from resnetkit.sources.published import Published, find_by_content, find_claimed, published_names
from resnetkit.terminal import quoted, tell

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier

VARIABLE = "RESNETKIT_WEIGHTS"
BY_ITS_NAME = "no checksum of it is known; it has the name, and its tensors are those of the network"


@dataclass(frozen=True)
class AtHand:
    """A weight file on this machine.

    Attributes:
        name: of the published weights that it holds, or else the file's.
        model: its network's name; None where that is open.
        spec, preprocessing: the network, and how its images are prepared.
        provenance: where it comes from, as in a classifier.
        published: what is known of it where others have published it.
        is_own: a classifier file, which says everything about itself.
        problem: a sentence on why nothing starts from it unless it is named; of a folder, why it is not searched.
    """

    path: Path
    name: str
    model: str | None = None
    spec: ResNetSpec | None = None
    preprocessing: Preprocessing | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    published: Published | None = None
    is_own: bool = False
    problem: str = ""

    @property
    def top1(self) -> float | None:
        """Accuracy in [0, 1] that its publisher states."""
        return None if self.published is None else self.published.top1

    @property
    def image_size_px(self) -> int:
        """Side of the images that it was made for; 0 where that is open."""
        return 0 if self.preprocessing is None else self.preprocessing.image_size_px


def store_folder() -> Path:
    """Folder of what was fetched and imported, beside the data sets."""
    return platformdirs.user_cache_path("resnetkit") / "weights"


@contextmanager
def store_locked() -> Iterator[None]:
    """Keep other processes out of the store within the block, after waiting for one that is in it, which is told."""
    store = store_folder()
    with io_errors(f"create {store}"):
        make_folder(store)
    taken = ResnetkitError(Code.IO, f"another process is in {store}")
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(store, if_taken=taken))
        except ResnetkitError as error:
            if error is not taken:
                raise
            tell(f"waiting for another process that fetches or imports weights into {store}")
            stack.enter_context(locked(store))
        yield


def weight_folders() -> list[Path]:
    """Folders that are searched: those of the environment's RESNETKIT_WEIGHTS in order, then the store."""
    own = [Path(text).expanduser() for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text]
    return list(dict.fromkeys((*own, store_folder())))


def find_at_hand() -> list[AtHand]:
    """Every weight file in the searched folders: of several to start from with one name the first, and then all else.

    What has a problem comes after what has none, and hides nothing.
    """
    looked_at = [weights for folder in weight_folders() for weights in _look_into(folder)]
    usable: dict[str, AtHand] = {}
    for weights in looked_at:
        if not weights.problem:
            usable.setdefault(weights.name, weights)
    return [*usable.values(), *(weights for weights in looked_at if weights.problem)]


def _look_into(folder: Path) -> list[AtHand]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in WEIGHT_SUFFIXES and path.is_file())
    except OSError as error:
        if folder == store_folder() and not folder.exists():
            return []  # nothing was fetched yet
        return [AtHand(folder, str(folder), problem=f"the folder cannot be searched: {error.strerror}")]
    return [_look_at(path) for path in paths]


def _look_at(path: Path) -> AtHand:
    try:
        description = find_description(path)
        return _identified(path) if description is None else _of_description(path, description)
    except ResnetkitError as error:
        return AtHand(path, path.stem, problem=_say(error))
    except OSError as error:
        return AtHand(path, path.stem, problem=f"the file cannot be read: {error.strerror}")


def _of_description(path: Path, own: Description) -> AtHand:
    rows = published_names().get(str(own.provenance.get("published")))
    published = rows[0] if rows else None
    model = str(own.provenance.get("model", "resnet"))
    name = _own_name(path, published)
    return AtHand(path, name, model, own.model, own.preprocessing, own.provenance, published, is_own=True)


def _own_name(path: Path, published: Published | None) -> str:
    """The file's name, which is no name of published weights that it does not hold."""
    is_theirs = path.stem in published_names() and (published is None or published.name != path.stem)
    return path.name if is_theirs else path.stem


def _of_published(path: Path, published: Published) -> AtHand:
    from resnetkit.sources.origins import provenance_of

    spec = find_entry(published.model).spec
    spec = spec if published.has_head else replace(spec, num_classes=None)
    stated = provenance_of(published)
    return AtHand(path, published.name, published.model, spec, published.preprocessing, stated, published)


def _identified(path: Path) -> AtHand:
    """Find what a file of others holds: read the first time, remembered by its size and time after that."""
    book = store_folder() / "identified.json"
    known, status = _read_book(book), path.stat()
    key, stamp = str(path.absolute()), [status.st_size, status.st_mtime_ns, version("resnetkit")]
    entry = known.get(key)
    if not isinstance(entry, dict) or entry.get("stamp") != stamp:
        entry = {"stamp": stamp, **_identify(path)}
        with suppress(ResnetkitError):  # a cache that cannot be written costs the reading anew
            write_durably(book, json.dumps({**_read_book(book), key: entry}).encode())
    rows = published_names().get(entry.get("published", ""))
    if rows:
        return _of_published(path, rows[0])
    if "problem" in entry:
        return AtHand(path, path.stem, problem=entry["problem"])
    spec, preprocessing = from_dict(ResNetSpec, entry["spec"]), from_dict(Preprocessing, entry["preprocessing"])
    return AtHand(path, _own_name(path, None), entry["model"], spec, preprocessing)


def _read_book(book: Path) -> dict[str, Any]:
    try:
        content = json.loads(book.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _identify(path: Path) -> dict[str, Any]:
    """The name of the published weights that a file is, or what it says of itself, or why that is not known."""
    tell(f"reading {path} to know what it is; that is remembered")
    published = find_by_content(path)
    if published is not None:
        return {"published": published.name}
    from resnetkit.sources.weights import open_weights

    claimed = find_claimed(path.name)
    if claimed is not None and not _may_be(path, claimed):
        return {"problem": _not_the_file(claimed)}
    try:
        weights = open_weights(path)
        candidates = weights.identification.candidates
        if len(candidates) < 2:
            candidates = (weights.choose(None, source=path.name),)
    except ResnetkitError as error:
        return {"problem": _say(error)}
    if claimed is not None:
        says = f"it has the name of {claimed.name}, of which no checksum is known: resnetkit weights import takes it so"
        return {"problem": says}
    if len(candidates) > 1:
        names = " or ".join(candidate.name for candidate in candidates)
        return {"problem": f"it can be {names}, with the same tensors: resnetkit weights import --model says which"}
    preprocessing, is_known = weights.preprocessing(candidates[0])
    if not is_known:
        says = "it is not known where it is from, nor how its images are prepared: resnetkit weights import says it"
        return {"problem": says}
    return {
        "model": candidates[0].name,
        "spec": to_dict(candidates[0].spec),
        "preprocessing": to_dict(preprocessing),
    }


def _say(error: ResnetkitError) -> str:
    return error.why or error.what


def keep(source: Source, *, name: str | None = None, **stated: Any) -> tuple[AtHand, bool]:
    """Keep the weights of a file as a classifier file in the store; True if it was not there before.

    What they are is found by their checksum or their place on the hub, or else by what the file says; where no checksum
    is known of published weights, by their name too. Nothing in the file is executed.

    Args:
        name: under which they are kept; None: that of published weights, or else the file's.
        stated: what :func:`~resnetkit.sources.weights.open_classifier` takes besides: the network, preprocessing …

    Raises:
        ResnetkitError: for what is damaged, has no head or leaves a choice open; for a file that is not what its name
            says; for a name that is taken.
    """
    from resnetkit.sources.weights import open_classifier

    located = locate_weights(source)
    claimed = _claimed(located, name)
    if claimed is None:
        classifier = open_classifier(located, **stated)
    else:
        classifier = open_classifier(located, **(_known_of(claimed) | stated))
        classifier = _with_origin(classifier, claimed, {"checked": BY_ITS_NAME})
    published = classifier.provenance.get("published")
    name = _checked_name(name or str(published or "") or _usual_name(located), published)
    with store_locked():
        return _write(classifier, name)


def keep_fetched(file: Path, published: Published, checked: str) -> AtHand:
    """Keep a download of a row of the table; the store must be locked.

    Args:
        checked: how it was made sure that it is the file.
    """
    from resnetkit.sources.weights import open_classifier

    classifier = open_classifier(file, **_known_of(published))
    place = {"weights": published.url, "checked": checked}
    return _write(_with_origin(classifier, published, place), published.name)[0]


def _known_of(published: Published) -> dict[str, Any]:
    return {"model": published.model, "preprocessing": to_dict(published.preprocessing)}


def _with_origin(classifier: Classifier, published: Published, more: Mapping[str, Any]) -> Classifier:
    from resnetkit.sources.origins import provenance_of

    return replace(classifier, provenance={**classifier.provenance, **provenance_of(published), **more})


def _claimed(located: Located, name: str | None) -> Published | None:
    """The published weights that a file is taken for by its name, or the one it is given, where nothing else tells.

    Raises:
        ResnetkitError: for a file with the name of a published one that it is not.
    """
    if located.is_own or located.fetched is not None or find_by_content(located.file) is not None:
        return None
    file = located.file
    claimed = find_claimed(file.name if name is None else f"{name}{file.suffix}")
    require(
        claimed is None or _may_be(file, claimed),
        f"{file} is not the file that its name says",
        why="" if claimed is None else _not_the_file(claimed),
        fix=""
        if claimed is None
        else f"get it again: {claimed.url}; or give it another name, if it is meant to be another",
        code=Code.WEIGHTS,
    )
    return claimed


def _may_be(file: Path, claimed: Published) -> bool:
    """Tell whether a file whose checksum is not known can be the published one: one whose checksum is not known."""
    return claimed.digest is None and Path(claimed.kept_as).suffix == file.suffix


def _not_the_file(claimed: Published) -> str:
    return (
        f"it is not the file that {claimed.origin} published as {claimed.name}: its checksum is not "
        f"{claimed.say_digest()}, so it is damaged, or another file"
    )


def _usual_name(located: Located) -> str:
    if located.fetched is not None:
        return located.fetched.repo.rpartition("/")[2]
    path = Path(located.text)
    return path.name if path.is_dir() else path.stem


def _checked_name(name: str, published: object) -> str:
    require(
        re.fullmatch(r"[\w][\w.,=\[\]-]*", name) is not None,
        f"weights cannot be called {quoted(name)}",
        fix="give a name of letters, digits, dots and dashes: --name my_weights",
    )
    require(
        name not in published_names() or name == published,
        f"{name} are published weights, and these are others",
        fix="give another name: --name my_weights",
    )
    return name


def _write(classifier: Classifier, name: str) -> tuple[AtHand, bool]:
    path = store_folder() / f"{name}.safetensors"
    if path.exists():
        require(
            _holds(path, classifier),
            f"other weights are kept as '{name}' already, or it cannot be read",
            fix=f"give another name with --name, or remove {path}",
            code=Code.WEIGHTS,
        )
        return _of_description(path, read_description(path)), False
    classifier.save(path)
    return _of_description(path, read_description(path)), True


def _holds(path: Path, classifier: Classifier) -> bool:
    """Tell whether a file holds this classifier: all that decides its answers, whatever is told of where it is from."""
    from resnetkit.classifier.classifier import load_classifier

    try:
        there = load_classifier(path)
    except ResnetkitError:
        return False
    if any(getattr(there, part) != getattr(classifier, part) for part in ("preprocessing", "class_names", "decision")):
        return False
    theirs, ours = there.network.state_dict(), classifier.network.state_dict()
    is_alike = there.network.spec == classifier.network.spec and theirs.keys() == ours.keys()
    return is_alike and all(theirs[tensor].equal(ours[tensor]) for tensor in ours)
