"""Published weights from where they are: the hub, their publishers' servers or a mirror; resumed, and checked."""

from __future__ import annotations

import os
from pathlib import Path

from resnetkit.data.download import DEADLINE_SECONDS, DownloadFailed, fetch_file
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.files import sha256_of
from resnetkit.sources import hub
from resnetkit.sources.published import Published, find_published
from resnetkit.sources.weight_store import VARIABLE, AtHand, find_at_hand, keep_fetched, store_folder

HUB_ADDRESS = "https://huggingface.co"
STATED_BY_THE_SERVER = "its SHA-256 is the one that the server states"
BY_ITS_TENSORS = "no checksum of it is known; its tensors are those of the network"


def fetch_published(
    name: str, *, mirror: str | None = None, deadline_seconds: float = DEADLINE_SECONDS
) -> tuple[AtHand, bool]:
    """Get published weights into the store; True if they were not at hand before.

    Args:
        name: of the weights, or of a network, see :func:`~resnetkit.sources.published.find_published`.
        mirror: address of a folder that holds files of the same names, asked first; those of the hub it has as
            ``NAME.safetensors``.
        deadline_seconds: after which a download is given up; what has come is kept, and the next call goes on from it.

    Raises:
        ResnetkitError: for an unknown name, where no place gives the right file, and for a disk that is full.
    """
    files = find_published(name)
    name = files[0].name
    require(
        files[0].has_head,
        f"{name} are weights without a head, which are not kept",
        fix=f"get {files[0].url} and start from the file: resnetkit train DATA --weights FILE",
    )
    here = next((weights for weights in find_at_hand() if weights.name == name and not weights.problem), None)
    if here is not None:
        return here, False
    reasons, num_bytes = list[str](), 0
    for file in files:
        try:
            return _fetch(file, mirror, deadline_seconds), True
        except DownloadFailed as failure:
            reasons += failure.reasons
            num_bytes = max(num_bytes, failure.num_bytes)
    raise _not_available(files, reasons, num_bytes)


def _fetch(file: Published, mirror: str | None, deadline_seconds: float) -> AtHand:
    downloaded = store_folder() / "downloads" / _kept_as(file)
    checked = BY_ITS_TENSORS if file.digest is None else f"it has {file.say_digest()}"

    def is_right(path: Path, stated: str | None) -> bool:
        nonlocal checked
        if file.digest is not None:
            return file.is_digest_of(path)
        if stated is None:
            return True  # its tensors are looked at before it is kept
        checked = STATED_BY_THE_SERVER
        return sha256_of(path) == stated

    fetch_file(_addresses(file, mirror), downloaded, is_right, deadline_seconds=deadline_seconds)
    try:
        kept = keep_fetched(downloaded, file, checked)
    except ResnetkitError as error:
        if error.code is not Code.WEIGHTS:
            raise
        downloaded.unlink()
        raise DownloadFailed([f"{file.url}: what came is not the file ({error.what})"], 0) from None
    downloaded.unlink()
    return kept


def _kept_as(file: Published) -> str:
    """Names a file of the hub, where all are called alike, after its weights."""
    return f"{file.name}{Path(file.url).suffix}" if file.url.startswith(hub.SCHEME) else file.file_name


def _addresses(file: Published, mirror: str | None) -> list[str]:
    own = [] if mirror is None else [f"{mirror.rstrip('/')}/{_kept_as(file)}"]
    return [*own, web_address(file)]


def web_address(file: Published) -> str:
    """The address of a published file; HF_ENDPOINT says which hub."""
    if not file.url.startswith(hub.SCHEME):
        return file.url
    repo, _, file_name = file.url.removeprefix(hub.SCHEME).rpartition("/")
    return f"{os.environ.get('HF_ENDPOINT', HUB_ADDRESS).rstrip('/')}/{repo}/resolve/main/{file_name}"


def _not_available(files: tuple[Published, ...], reasons: list[str], num_bytes: int) -> ResnetkitError:
    kept = f"; {num_bytes:,} bytes are kept, and the same command goes on from there" if num_bytes else ""
    by_hand = " or ".join(f"{web_address(file)} (as {_kept_as(file)})" for file in files)
    return ResnetkitError(
        Code.IO,
        f"{files[0].name} cannot be downloaded here{kept}",
        why="tried\n    " + "\n    ".join(reasons),
        fix=f"get {by_hand} where there is a connection, and resnetkit weights import FILE here, or put it into a "
        f"folder that {VARIABLE} names; behind a firewall HTTPS_PROXY, HF_ENDPOINT (a mirror of the hub) and "
        "--mirror URL (a folder with these files) say another way",
    )
