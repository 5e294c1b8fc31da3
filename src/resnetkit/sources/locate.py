"""Answers what a text names: a run, a classifier, a weight file, one of these on the hub, or a network; here alone.

No torch here, and nothing heavy until there is a file to look into.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from resnetkit.errors import Code, ResnetkitError
from resnetkit.runs.finding import has_repeats, is_run
from resnetkit.sources import hub

if TYPE_CHECKING:  # the catalog of networks is loaded where one of its names may be meant
    from resnetkit.classifier.description import Description
    from resnetkit.models.catalog.entry import Entry
    from resnetkit.runs.folder import RunFolder

Kind = Literal["run", "classifier", "weights", "network"]


@dataclass(frozen=True)
class Located:
    """Thing that a text names.

    Attributes:
        text: as it was given.
        kind: ``run``, a folder that train made; ``classifier``, a file of ours; ``weights``, a third-party weight file;
            ``network``, a name of the catalog, also with variations in brackets.
        path: the run's folder, or the file; None for a network.
        description: what the classifier's file says, which was read to know that it is one; of a run, where it has
            finished. None of anything else.
        fetched: where on the hub the file is from.
        entry: the network of that name.
    """

    text: str
    kind: Kind
    path: Path | None = None
    description: Description | None = None
    fetched: hub.HubFile | None = None
    entry: Entry | None = None

    @property
    def is_own(self) -> bool:
        """True for what says everything about itself: runs and classifiers."""
        return self.kind in ("run", "classifier")

    @property
    def whole_name(self) -> str:
        """Text by which it is found again from any folder, also as a part of a run that was chosen."""
        return self.text if self.path is None or self.fetched is not None else str(self.path.absolute())

    @property
    def run(self) -> RunFolder | None:
        """The folder of a run; None of anything else."""
        if self.kind != "run" or self.path is None:
            return None
        from resnetkit.runs.folder import RunFolder

        return RunFolder(self.path)

    @property
    def file(self) -> Path:
        """The file that holds its weights; of a run, its classifier's.

        Raises:
            ResnetkitError: for a run that has not finished, saying what there is instead, and for a network's name.
        """
        if self.path is None:
            raise _no_weights_at(self.text)
        if self.kind == "run":
            from resnetkit.classifier.file import find_classifier

            return find_classifier(self.path)
        return self.path


Source = str | Path | Located


def locate(source: Source) -> Located:
    """Find what a text names; a file or folder that is there comes before a network of that name.

    A name on the hub, ``hf://OWNER/NAME``, is fetched, and is then what its file is. What has been located already
    stays as it is.

    Raises:
        ResnetkitError: where nothing has that name, with the nearest one; for a damaged classifier; for what the hub
            refuses.
    """
    found = source if isinstance(source, Located) else _find_stored(str(source))
    if found is not None:
        return found
    text = str(source)
    if _looks_like_a_path(text):
        from resnetkit.models.catalog import CATALOG

        raise _nothing_at(text, "give an existing one, or a name that resnetkit models lists", CATALOG)
    from resnetkit.models.catalog import find_entry

    return Located(text, "network", entry=find_entry(text))


def locate_weights(source: Source) -> Located:
    """Find what a text names, as :func:`locate`, where it holds weights.

    Raises:
        ResnetkitError: for a network's name too, saying where its weights are to be had.
    """
    found = source if isinstance(source, Located) else _find_stored(str(source))
    if found is None or found.kind == "network":
        raise _no_weights_at(str(source) if found is None else found.text)
    return found


def _find_stored(text: str) -> Located | None:
    """Find what is on the disk or on the hub; None where nothing is."""
    if text.startswith(hub.SCHEME):
        fetched = hub.fetch(text)
        return _of_file(text, fetched.path, fetched)
    path = Path(os.path.expanduser(text))  # as all that is asked with os.path here: it has an answer for any text
    if os.path.isdir(path):
        return _of_folder(text, path)
    return _of_file(text, path) if os.path.isfile(path) else None


def _of_folder(text: str, folder: Path) -> Located:
    """A run, or else a folder as the hub keeps it."""
    from resnetkit.classifier.file import FILE_NAME, read_description

    if is_run(folder):
        file = folder / FILE_NAME
        return Located(text, "run", folder, read_description(file) if file.is_file() else None)
    for name in hub.USUAL_FILES:
        if (folder / name).is_file():
            return _of_file(text, folder / name)
    if has_repeats(folder):
        from resnetkit.runs.repeats import read_repeats

        runs = read_repeats(folder).runs
        raise ResnetkitError(
            Code.WEIGHTS,
            f"{folder} holds {len(runs)} repeats of a run, each with a classifier of its own",
            fix=f"give one of them: {folder / runs[0] if runs else folder / 'RUN'}",
        )
    raise ResnetkitError(
        Code.WEIGHTS,
        f"no classifier or weight file in {folder}",
        why="it is not a run folder",
        fix=f"give a run folder, a file, or a folder with one of {', '.join(hub.USUAL_FILES)}",
    )


def _of_file(text: str, path: Path, fetched: hub.HubFile | None = None) -> Located:
    """A classifier, or whatever else is taken for weights until they are read."""
    from resnetkit.classifier.file import find_description

    description = find_description(path)
    return Located(text, "weights" if description is None else "classifier", path, description, fetched)


def _looks_like_a_path(text: str) -> bool:
    """True where a text can be no network's name."""
    return "[" not in text and (bool(Path(text).suffix) or not text or text != os.path.basename(text))


def _no_weights_at(text: str) -> ResnetkitError:
    """The error for what names no weights, but perhaps a network, or is another tool's word for published weights."""
    from resnetkit.models.catalog import CATALOG

    wanted = text.partition("[")[0].lower().removesuffix("_weights.default").removesuffix("_weights.imagenet1k_v1")
    if wanted in CATALOG or "imagenet" in wanted or wanted in ("default", "true", "pretrained"):
        network = wanted if wanted in CATALOG else "resnet18"
        return ResnetkitError(
            Code.WEIGHTS,
            f"no run folder or file at {text}",
            why="a name alone has no weights",
            fix=f"resnetkit weights list {network} shows published ones, and get fetches them; or give a file, or "
            "one on the hub, e.g. hf://timm/resnet18.a1_in1k; "
            f"resnetkit train DATA --model {network} trains fresh weights",
        )
    return _nothing_at(text, "give an existing one: resnetkit train prints the run's folder")


def _nothing_at(text: str, fix: str, networks: Iterable[str] = ()) -> ResnetkitError:
    near = _nearest(text, networks)
    return ResnetkitError(
        Code.WEIGHTS, f"no run folder or file at {text}", fix=f"did you mean {near}?" if near else fix
    )


def _nearest(text: str, networks: Iterable[str]) -> str:
    """Name of what is there, or of one of the networks, that a mistyped text is nearest to; empty for none."""
    path = Path(os.path.expanduser(text))
    try:
        beside = {name: str(Path(text).with_name(name)) for name in os.listdir(path.parent)}
    except (OSError, ValueError):
        beside = {}
    known = beside | ({name: name for name in networks} if text == os.path.basename(text) else {})
    return next((known[name] for name in difflib.get_close_matches(path.name, known, n=1, cutoff=0.8)), "")
