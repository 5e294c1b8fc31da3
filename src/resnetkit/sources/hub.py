"""Weights from the Hugging Face hub, by names such as ``hf://timm/resnet18.a1_in1k``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnetkit.errors import Code, ResnetkitError, summarize
from resnetkit.extras import import_extra

SCHEME = "hf://"
NAME = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?:/(?P<file>[^@]+))?")
# What a repository calls its weights, best first.
USUAL_FILES = ("classifier.safetensors", "model.safetensors", "pytorch_model.bin", "pytorch_model.npz")
WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".th", ".npz", ".h5", ".keras")
DESCRIPTIONS = ("config.json", "preprocessor_config.json")


@dataclass(frozen=True)
class HubFile:
    """A file fetched from the hub; what describes the model lies beside it.

    Attributes:
        revision: the commit it was taken from.
    """

    path: Path
    repo: str
    revision: str


def fetch(name: str) -> HubFile:
    """Fetch ``hf://OWNER/NAME[@REVISION][/FILE]`` into the hub's own cache; nothing else reads from it.

    ``HF_ENDPOINT``, ``HF_HOME`` and ``HF_TOKEN`` mean what they mean to huggingface_hub.

    Raises:
        ResnetkitError: without the extra ``hub``, for a name that is none, and for whatever the hub refuses.
    """
    found = NAME.fullmatch(name)
    if found is None:
        raise ResnetkitError(
            Code.USAGE, f"'{name}' is no name on the hub", fix="write hf://OWNER/NAME, e.g. hf://timm/resnet18.a1_in1k"
        )
    client = hub_client(name)
    repo = found["repo"]
    with hub_errors(f"{name} could not be fetched", "check the name and the connection; set HF_TOKEN for private ones"):
        info = client.HfApi().model_info(repo, revision=found["revision"])
        assert info.sha is not None
        names = [sibling.rfilename for sibling in info.siblings or ()]
        file = _choose_file(name, found["file"], names)
        path = Path(client.hf_hub_download(repo, file, revision=info.sha))
        for description in DESCRIPTIONS:
            if description in names:
                client.hf_hub_download(repo, description, revision=info.sha)
    return HubFile(path, repo, info.sha)


def hub_client(name: str) -> Any:
    """The hub's own client, ``huggingface_hub``.

    Raises:
        ResnetkitError: where it is not installed; ``name`` is what needs it.
    """
    return import_extra("huggingface_hub", extra="hub", what=f"{name} needs huggingface_hub")


@contextmanager
def hub_errors(what: str, fix: str) -> Iterator[None]:
    """Turn whatever the client raises inside the block into one clear error, in which no token is shown."""
    try:
        yield
    except ResnetkitError:
        raise
    except Exception as error:  # the client and its transport raise their own kinds, which change with versions
        reason, token = summarize(error), hub_client(what).get_token()
        raise ResnetkitError(Code.IO, what, why=reason.replace(token, "…") if token else reason, fix=fix) from None


def _choose_file(name: str, wanted: str | None, names: list[str]) -> str:
    weights = [file for file in names if file.endswith(WEIGHT_SUFFIXES)]
    if wanted is not None:
        if wanted in names:
            return wanted
        raise ResnetkitError(Code.WEIGHTS, f"{name} is not there", fix=f"it has {', '.join(weights) or 'no weights'}")
    for usual in USUAL_FILES:
        if usual in weights:
            return usual
    if len(weights) == 1:
        return weights[0]
    raise ResnetkitError(
        Code.WEIGHTS,
        f"{name} holds {'no weights' if not weights else 'several weight files'}",
        why=", ".join(weights),
        fix=f"name one: {name}/{weights[0]}" if weights else "give another repository",
    )
