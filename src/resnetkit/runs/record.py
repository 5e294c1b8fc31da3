"""Record of a run: everything that was known of it when it began, which recipe.json keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from resnetkit.data.types import DataAudit
from resnetkit.images.types import BadImage
from resnetkit.recipes.recipe import Recipe


@dataclass(frozen=True)
class WeightsRecord:
    """The weight file that a run starts from, by its whole path and its content."""

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """The images of a run.

    Attributes:
        name: of the data set or folder, as it was then; None in records of versions that did not keep it.
        fingerprint: that of :class:`~resnetkit.data.types.LoadedData`.
        num_images: by split.
        ignored_files: how many files of the folder are no images.
        bad_images: files that were left out because they cannot be read.
        audit: counts of leaks, conflicts and copies, and the sizes of classes; None where images were not checked
            first, and in records of versions that did not keep it.
    """

    name: str | None = None
    fingerprint: str
    class_names: tuple[str, ...]
    num_images: dict[str, int]
    ignored_files: int
    bad_images: tuple[BadImage, ...]
    audit: DataAudit | None = None

    @property
    def num_image_files(self) -> int:
        """Number of images, readable or not."""
        return sum(self.num_images.values()) + len(self.bad_images)


@dataclass(frozen=True, kw_only=True)
class Record:
    """A run as it began. Fields of later versions are passed over; those with defaults, earlier versions lack.

    Attributes:
        command: what to type to repeat it; empty where a program gave the images.
        reasons, warnings: why the recipe is what it is, and what to be wary of.
        weights: None for a run from fresh ones.
        environment: the machine and the versions, as :func:`resnetkit.machine.runtime.environment` tells them.
    """

    recipe: Recipe
    command: str
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...]
    weights: WeightsRecord | None = None
    data: DataRecord
    environment: dict[str, Any]
