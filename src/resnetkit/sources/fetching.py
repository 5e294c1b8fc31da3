"""Published weights from where they are: the hub, their publishers' servers or a mirror; resumed, and checked."""

from __future__ import annotations

import os
from pathlib import Path

from resnetkit.data.download import DEADLINE_SECONDS, DownloadFailed, fetch_file
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.files import sha256_of
from resnetkit.sources import hub
from resnetkit.sources.published import Published, find_published
from resnetkit.sources.weight_store import VARIABLE, AtHand, find_at_hand, keep_fetched, store_folder, store_locked

HUB_ADDRESS = "https://huggingface.co"
STATED_BY_THE_SERVER = "its SHA-256 is the one that the server states"
BY_ITS_TENSORS = "no checksum of it is known; its tensors are those of the network"


def fetch_published(
    name: str, *, mirror: str | None = None, deadline_seconds: float = DEADLINE_SECONDS
) -> tuple[AtHand, bool]:
    """Get published weights into the store, unless they are at hand, in whichever folder; True if they were not.

    Of several processes that want them one fetches them, and the others wait.

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
    if (here := _find_usable(name)) is not None:
        return here, False
    with store_locked():
        if (here := _find_usable(name)) is not None:  # it has come while we waited
            return here, False
        reasons, num_bytes = list[str](), 0
        for file in files:
            try:
                return _fetch(file, mirror, deadline_seconds), True
            except DownloadFailed as failure:
                reasons += failure.reasons
                num_bytes = max(num_bytes, failure.num_bytes)
    raise _not_available(files, reasons, num_bytes)


def _find_usable(name: str) -> AtHand | None:
    return next((weights for weights in find_at_hand() if weights.name == name and not weights.problem), None)


def _fetch(file: Published, mirror: str | None, deadline_seconds: float) -> AtHand:
    downloaded = store_folder() / "downloads" / file.kept_as

    def is_right(path: Path, stated: str | None) -> bool:
        if file.digest is not None:
            return file.is_digest_of(path)
        return stated is None or sha256_of(path) == stated  # else its tensors are looked at before it is kept

    stated = fetch_file(_addresses(file, mirror), downloaded, is_right, deadline_seconds=deadline_seconds)
    by_server = BY_ITS_TENSORS if stated is None else STATED_BY_THE_SERVER
    try:
        return keep_fetched(downloaded, file, by_server if file.digest is None else f"it has {file.say_digest()}")
    except ResnetkitError as error:
        if error.code is not Code.WEIGHTS:
            raise
        raise DownloadFailed([f"{file.url}: what came is not the file ({error.what})"], 0) from None
    finally:
        downloaded.unlink(missing_ok=True)


def _addresses(file: Published, mirror: str | None) -> list[str]:
    own = [] if mirror is None else [f"{mirror.rstrip('/')}/{file.kept_as}"]
    return [*own, web_address(file)]


def web_address(file: Published) -> str:
    """The address of a published file; HF_ENDPOINT says which hub."""
    if not file.url.startswith(hub.SCHEME):
        return file.url
    repo, _, file_name = file.url.removeprefix(hub.SCHEME).rpartition("/")
    return f"{os.environ.get('HF_ENDPOINT', HUB_ADDRESS).rstrip('/')}/{repo}/resolve/main/{file_name}"


def _not_available(files: tuple[Published, ...], reasons: list[str], num_bytes: int) -> ResnetkitError:
    kept = f"; {num_bytes:,} bytes are kept, and the same command goes on from there" if num_bytes else ""
    by_hand = " or ".join(f"{web_address(file)} (as {file.kept_as})" for file in files)
    is_known = any(file.digest is not None for file in files)
    beside = f", or put it into a folder that {VARIABLE} names" if is_known else ""
    return ResnetkitError(
        Code.IO,
        f"{files[0].name} cannot be downloaded here{kept}",
        why="tried\n    " + "\n    ".join(reasons),
        fix=f"get {by_hand} where there is a connection, and resnetkit weights import FILE here{beside}; "
        "behind a firewall HTTPS_PROXY, HF_ENDPOINT (a mirror of the hub) and --mirror URL (a folder with these files) "
        "say another way",
    )
