"""Files into a repository of the Hugging Face hub, and nothing there overwritten unless asked."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.sources.hub import hub_client, hub_errors
from resnetkit.terminal import listed

GITS_OWN = ".gitattributes"  # the hub puts it there


@dataclass(frozen=True)
class Uploaded:
    """State of a repository now.

    Attributes:
        url: its page.
        is_new: False where it held the same files already.
        left: files of others that it holds, too.
    """

    url: str
    is_new: bool
    left: tuple[str, ...] = ()


def upload(
    repo: str,
    files: Mapping[str, bytes],
    *,
    message: str,
    private: bool = False,
    overwrite: bool = False,
    owned: Collection[str] = (),
) -> Uploaded:
    """Put files into a repository in one commit; it is made where it is missing.

    The token is the one that huggingface_hub knows, from ``HF_TOKEN`` or ``hf auth login``.

    Args:
        private: whether a new repository is to be seen by its owner alone; refused of one that is public.
        overwrite: replace what is there under the same names, and remove what is there of ``owned`` names.
        owned: names that files of earlier uploads may have.

    Raises:
        ResnetkitError: without a token; for a repository that holds something else; for what the hub refuses.
    """
    name = f"hf://{repo}"
    client = hub_client(name)
    require(client.get_token() is not None, f"{name} needs a token", fix="hf auth login, or set HF_TOKEN")
    api = client.HfApi()
    with hub_errors(
        f"{name} could not be written", "check the name, the connection, and that the token may write there"
    ):
        try:
            info = api.model_info(repo, files_metadata=True)
        except client.errors.RepositoryNotFoundError:
            api.create_repo(repo, private=private)
            info = api.model_info(repo, files_metadata=True)
        require(
            bool(info.private) or not private,
            f"{name} is public already",
            fix="make it private in its settings, choose another name, or leave --private out",
        )
        there = {one.rfilename: one for one in info.siblings or () if one.rfilename != GITS_OWN}
        other = [one for one in there if one not in files or not _is_same(there[one], files[one])]
        if other and not overwrite:
            raise ResnetkitError(
                Code.USAGE,
                f"{name} holds something else",
                why=listed(other),
                fix="choose another name, or --overwrite replaces it; the hub keeps what was there in its history",
            )
        url = f"{api.endpoint}/{repo}"
        left = tuple(one for one in there if one not in files and one not in owned)
        new = [one for one in files if one not in there or one in other]
        gone = [one for one in there if one in owned and one not in files]
        if not new and not gone:
            return Uploaded(url, False, left)
        operations = [client.CommitOperationAdd(one, files[one]) for one in new]
        operations += [client.CommitOperationDelete(one) for one in gone]
        # Refused where somebody else has written in between.
        api.create_commit(repo, operations, commit_message=message, parent_commit=info.sha)
    return Uploaded(url, True, left)


def _is_same(there: Any, content: bytes) -> bool:
    """Tell by its digest, of git or of its large files, whether a file holds this content."""
    if there.lfs is not None:
        return bool(there.lfs.sha256 == hashlib.sha256(content).hexdigest())
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return bool(there.blob_id == blob.hexdigest())
