"""Features kept on the disk, so that another run over the same images and frozen parts need not compute them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from resnetkit.anatomy.cost import count_cost
from resnetkit.config import to_dict
from resnetkit.data.cache_folder import cache_folder, has_room, remove_unused
from resnetkit.data.types import Split
from resnetkit.errors import ResnetkitError
from resnetkit.files import write_durably
from resnetkit.machine import runtime
from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import Recipe
from resnetkit.training.freezing import parts_of

FORMAT = 1
FILE_NAME = re.compile(r"\.?[0-9a-f]{32}\.features(\.[0-9a-f]{16})?")
WORTHWHILE_MULTIPLY_ADDS = 2e11  # fewer are computed in seconds


class KeptFeatures:
    """Views of a split in a folder, each under a digest of all that decides its values.

    That is the pixels of the images, how they are prepared and augmented, weights and shape of the parts that were run,
    precision, processor and torch: what is found is bit for bit what would have been computed. What is damaged or
    cannot be written is computed as if there were no folder.

    Args:
        folder: None: nothing is kept.
        decisive: JSON-ready values beside the weights and the view.
        tell: is told once that something was found.
    """

    def __init__(
        self, folder: Path | None, network: ResNet, decisive: Mapping[str, Any], tell: Callable[[], None]
    ) -> None:
        self._folder, self._network, self._decisive, self._tell = folder, network, decisive, tell
        self._has_told = False

    @cached_property
    def _weights(self) -> str:
        """Digest of all but the head; taken when it is first needed, for a run that goes on gets its weights late."""
        total = hashlib.sha256()
        *below_head, _ = parts_of(self._network).values()
        for part in below_head:
            for name, tensor in part.state_dict().items():
                total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
                total.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
        return total.hexdigest()

    def find(self, num_parts: int, view: int) -> Tensor | None:
        """Features of a view by so many parts, from below, of an earlier run; None where nobody knows."""
        file = self._file(num_parts, view)
        if file is None:
            return None
        try:
            content = file.read_bytes()
            digest, features = content[:32], content[32:]
            if hashlib.sha256(features).digest() != digest:
                return None
            os.utime(file)  # for remove_unused
            found = load(features)["features"]
        except (OSError, SafetensorError, KeyError):
            return None
        if not self._has_told:
            self._tell()
            self._has_told = True
        return found

    def keep(self, num_parts: int, view: int, features: Tensor) -> None:
        """Keep what so many parts made of a view for later runs, where there is room."""
        file = self._file(num_parts, view)
        if file is None or not has_room(file.parent, features.nbytes):
            return
        content = save({"features": features.cpu().contiguous()})
        try:
            write_durably(file, hashlib.sha256(content).digest() + content)
            remove_unused(file.parent, FILE_NAME)
        except (OSError, ResnetkitError):
            return  # it is computed again in the next run, which is all that is lost

    def _file(self, num_parts: int, view: int) -> Path | None:
        """Of maps, which are large, nothing is kept: only what is pooled."""
        if self._folder is None or num_parts <= len(self._network.stage_names):
            return None
        decisive = {**self._decisive, "parts": num_parts, "view": view, "weights": self._weights}
        key = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:32]
        return self._folder / f"{key}.features"


def kept_features(
    recipe: Recipe, network: ResNet, split: Split, precision: str, tell: Callable[[str], None]
) -> KeptFeatures:
    """Features of a split, kept in the folder of ``data.cache``; ``auto`` keeps those that took a while.

    Args:
        tell: is told in a sentence what need not be computed.
    """
    folder = cache_folder(recipe.data, "features")
    multiply_adds = len(split) * count_cost(recipe.model, recipe.preprocessing.image_size_px).multiply_adds
    if recipe.data.cache == "auto" and multiply_adds < WORTHWHILE_MULTIPLY_ADDS:
        folder = None
    environment, keys = runtime.environment(), ("torch", "processor", "cpu_capability", "threads", "gpu")
    images = hashlib.sha256(split.digests.tobytes() + split.aspect_ratios.tobytes()).hexdigest()
    decisive: dict[str, Any] = {
        **{key: environment[key] for key in keys},
        "format": FORMAT,
        "precision": precision,
        "device": next(network.parameters()).device.type,
        "model": to_dict(recipe.model),
        "preprocessing": to_dict(recipe.preprocessing),
        "images": images,
        "is_whole": split.is_whole,
    }
    if split.name == "train" and recipe.augmentation.num_distinct_views != 1:  # others are seen as they are in use
        changes = to_dict(recipe.augmentation)
        del changes["num_views"]  # which says how many, and not what one of them is
        decisive |= {"augmentation": changes, "seed": recipe.seed}
    text = f"an earlier run kept what the frozen parts make of the {len(split):,} {split.name} images"
    return KeptFeatures(folder, network, decisive, lambda: tell(text))
