"""Weight files that others have published: one table of them, published.csv, and finding in it (no torch here).

A row is a file; rows of the same name hold the same weights. A file is known by its digest: the first eight hexadecimal
digits of its SHA-256, which torch.hub puts into names of files, or the MD5 that Keras publishes. What a publisher does
not state is left empty. Rows come from timm's and torchvision's sources and tables of results, keras.applications' own
checksums, and what the CIFAR repositories say of themselves.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from resnetkit.config import from_dict
from resnetkit.errors import Code, ResnetkitError, did_you_mean
from resnetkit.files import md5_of, sha256_of
from resnetkit.images.spec import Preprocessing
from resnetkit.sources.hub import SCHEME

# What images are normalized with, by the table's word for it; keras.applications (its imagenet_utils, modes "caffe" and
# "tf") prepares values of 0 to 255.
STATISTICS: dict[str, dict[str, Any]] = {
    "imagenet": {},
    "half": {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
    "caffe": {
        "mean": (103.939 / 255, 116.779 / 255, 123.68 / 255),
        "std": (1 / 255, 1 / 255, 1 / 255),
        "channel_order": "bgr",
    },
    "cifar": {"mean": (0.4914, 0.4822, 0.4465), "std": (0.2023, 0.1994, 0.2010)},
}
KERAS_V1 = Preprocessing(224, 256, **STATISTICS["caffe"])
KERAS_V2 = Preprocessing(224, 256, **STATISTICS["half"])
CIFAR10_USUAL = Preprocessing(32, 32, **STATISTICS["cifar"])

# Where several weights of a network are published, those to start from: the most plainly trained, because features
# learned with label smoothing and the like transfer worse (arXiv:1805.08974, Section 4.2).
TO_START_FROM = (
    *("resnet18.tv_in1k", "resnet26d.bt_in1k", "resnet34.tv_in1k", "resnet50.tv_in1k", "resnet50d.ra2_in1k"),
    *("resnet101.tv_in1k", "resnet152.tv_in1k"),
)


@dataclass(frozen=True)
class Published:
    """A published weight file.

    Attributes:
        name: of the weights, as ``resnet18.a1_in1k``: a network of the catalog, and where they are from.
        model: name in the catalog.
        data: the data set whose classes it knows, in that set's order.
        licence: of the weights, by its SPDX name in small letters; None: unstated.
        top1: accuracy in [0, 1] that its publisher states, on that set's validation or test images; None: unstated.
        digest: ``sha256:`` and its first eight digits, or ``md5:`` and all of them; None: unstated.
        num_bytes: of the file, as stated, to about a kilobyte; None: unstated.
        url: where it is; ``hf://OWNER/NAME/FILE`` on the Hugging Face hub.
    """

    name: str
    model: str
    origin: str
    data: str
    licence: str | None
    preprocessing: Preprocessing
    top1: float | None
    digest: str | None
    num_bytes: int | None
    url: str

    @property
    def file_name(self) -> str:
        """The name of the file where it is published."""
        return PurePosixPath(self.url).name

    @property
    def kept_as(self) -> str:
        """The name of the file elsewhere: that of its weights, where it is on the hub, where all are called alike."""
        path = PurePosixPath(self.url)
        return f"{self.name}{path.suffix}" if self.url.startswith(SCHEME) else path.name

    @property
    def has_head(self) -> bool:
        """False for Keras' files without the last layer, which classify nothing."""
        return "_notop" not in self.file_name

    def is_digest_of(self, path: Path) -> bool:
        """Tell whether a file has this digest, which must be known."""
        kind, _, digits = (self.digest or "").partition(":")
        return {"sha256": sha256_of, "md5": md5_of}[kind](path).startswith(digits)

    def say_digest(self) -> str:
        """The digest in words.

        >>> find_published("resnet18.tv_in1k")[0].say_digest()
        'the SHA-256 f37072fd…'
        """
        if self.digest is None:
            return "one that is known"
        kind, _, digits = self.digest.partition(":")
        return f"the SHA-256 {digits}…" if kind == "sha256" else f"the MD5 {digits}"


@cache
def published_files() -> tuple[Published, ...]:
    """Every row of the table, in its order."""
    text = files("resnetkit.sources").joinpath("published.csv").read_text(encoding="utf-8")
    return tuple(_from_row(row) for row in csv.DictReader(text.splitlines()))


def _from_row(row: dict[str, str]) -> Published:
    sizes = {"image_size_px": int(row["size"]), "resize_px": int(row["resize"])}
    stated = {**sizes, "interpolation": row["interpolation"], **STATISTICS[row["statistics"]]}
    return Published(
        name=row["name"],
        model=row["model"],
        origin=row["origin"],
        data=row["data"],
        licence=row["licence"] or None,
        preprocessing=from_dict(Preprocessing, stated),
        top1=round(float(row["top1"]) / 100, 6) if row["top1"] else None,
        digest=row["digest"] or None,
        num_bytes=int(row["bytes"]) if row["bytes"] else None,
        url=row["url"],
    )


@cache
def _by_digest() -> dict[str, Published]:
    return {file.digest: file for file in published_files() if file.digest is not None}


def find_by_sha256(sha256: str) -> Published | None:
    """The published file with this SHA-256, by its first eight digits; None for none."""
    return _by_digest().get(f"sha256:{sha256[:8]}")


def find_by_md5(md5: str) -> Published | None:
    """The published file with this MD5; None for none."""
    return _by_digest().get(f"md5:{md5}")


@cache
def published_names() -> dict[str, tuple[Published, ...]]:
    """The files of each published weights, by name, in the order in which they are to be tried."""
    names: dict[str, list[Published]] = {}
    for file in published_files():
        names.setdefault(file.name, []).append(file)
    return {name: tuple(rows) for name, rows in names.items()}


def find_by_content(path: Path) -> Published | None:
    """The published file that has the content of this one; None for none."""
    found = find_by_sha256(sha256_of(path))
    return find_by_md5(md5_of(path)) if found is None and path.suffix in (".h5", ".keras") else found


def find_by_address(url: str) -> Published | None:
    """The published file at this address; None for none."""
    return next((file for file in published_files() if file.url == url), None)


def find_claimed(file_name: str) -> Published | None:
    """The published file that a file's name claims to be, as anything may; None for none.

    >>> find_claimed("resnet18-f37072fd.pth").name, find_claimed("resnet18.tv_in1k.pth").name
    ('resnet18.tv_in1k', 'resnet18.tv_in1k')
    >>> find_claimed("resnet18.pth") is None  # which is a network's name
    True
    """
    kept = (file for file in published_files() if file.kept_as == file_name)
    by_name = published_names().get(PurePosixPath(file_name).stem, ())
    return next(chain(kept, by_name), None)


def find_published(name: str) -> tuple[Published, ...]:
    """The files of published weights; a network's name stands for those to start from, or the first there are.

    >>> [file.url for file in find_published("resnet26d.bt_in1k")][0]
    'hf://timm/resnet26d.bt_in1k/model.safetensors'
    >>> find_published("resnet18")[0].name
    'resnet18.tv_in1k'

    Raises:
        ResnetkitError: for an unknown name, with the nearest one.
    """
    names = published_names()
    if name in names:
        return names[name]
    of_network = [rows for rows in names.values() if rows[0].model == name and rows[0].has_head]
    if not of_network:
        raise ResnetkitError(
            Code.USAGE,
            f"no published weights are called '{name}'",
            fix=did_you_mean(name, names) + " (resnetkit weights list shows them all)",
        )
    return next((rows for rows in of_network if rows[0].name in TO_START_FROM), of_network[0])
