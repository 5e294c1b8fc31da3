"""Pushes a finished run to the Hugging Face hub, where others can use it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.files import durable_folder, write_durably
from resnetkit.publishing.contents import ALL_NAMES, contents_of
from resnetkit.publishing.upload import upload
from resnetkit.sources.hub import NAME
from resnetkit.sources.locate import Source, locate_weights
from resnetkit.terminal import listed


@dataclass(frozen=True)
class Pushed:
    """A run as it was pushed.

    Attributes:
        to: the page of its repository, or the folder of a dry run.
        num_bytes: of each file, by name.
        notes: what to know about it.
    """

    to: str
    num_bytes: dict[str, int]
    notes: tuple[str, ...] = ()


def push(
    run: Source,
    to: str,
    *,
    license: str | None = None,
    private: bool = False,
    overwrite: bool = False,
    dry_run: str | Path | None = None,
) -> Pushed:
    """Push a finished run to ``hf://OWNER/NAME``: its classifier and a model card, and for timm a config.json.

    No image leaves the machine, and no path of it. What was pushed is read again by that name, as all sources are.

    Args:
        license: of the weights, as the hub calls it, e.g. ``apache-2.0``; left out, the card names none.
        private: whether a new repository is to be seen by its owner alone.
        overwrite: replace the files of a repository that holds something else.
        dry_run: a new folder that the files are written to instead; nothing is connected to.

    Raises:
        ResnetkitError: for a run that has not finished, a name that is none, a folder that exists, and for whatever the
            hub refuses.
    """
    found = NAME.fullmatch(to)
    if found is None or found["revision"] or found["file"]:
        raise ResnetkitError(
            Code.USAGE, f"'{to}' is no name to push to", fix="write hf://OWNER/NAME, e.g. hf://me/birds"
        )
    require(
        dry_run is None or not (private or overwrite),
        "a dry run makes and overwrites nothing on the hub",
        fix="leave --private and --overwrite out",
    )
    require(dry_run is None or not Path(dry_run).exists(), f"{dry_run} exists already", fix="give another name")
    located = locate_weights(run)
    if located.run is None:
        raise ResnetkitError(
            Code.WEIGHTS, f"{located.text} is no run folder", why="a card tells how it was trained and what it scored",
            fix="give the folder that train printed",
        )  # fmt: skip
    contents = contents_of(located.run, found["repo"], license)
    notes = [f"timm cannot read it: {contents.why_not_timm}"] if contents.why_not_timm else []
    if license is None:
        notes.append("the card names no license; --license gives one")
    if dry_run is None:
        message = f"Push {located.run.path.name} with resnetkit {version('resnetkit')}"
        uploaded = upload(
            found["repo"], contents.files, message=message, private=private, overwrite=overwrite, owned=ALL_NAMES
        )
        place = uploaded.url
        notes += [] if uploaded.is_new else ["the same files were there already"]
        notes += [f"{listed(uploaded.left)} of others: left as they are"] if uploaded.left else []
    else:
        place = str(dry_run)
        with durable_folder(Path(dry_run)) as folder:
            for name, content in contents.files.items():
                write_durably(folder / name, content)
    return Pushed(place, {name: len(content) for name, content in contents.files.items()}, tuple(notes))
