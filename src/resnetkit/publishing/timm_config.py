"""The config.json by which timm builds a network that it has too, and prepares its images."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from resnetkit.images.spec import Fit, Preprocessing

CROP_MODES: Mapping[Fit, str] = {"crop": "center", "squeeze": "squash", "pad": "border"}


def timm_config(
    architecture: str, tensor_names: Sequence[str], preprocessing: Preprocessing, class_names: Sequence[str]
) -> bytes:
    """The content of config.json, as ``timm.create_model("hf-hub:OWNER/NAME")`` reads it.

    Args:
        architecture: timm's name of the network.
        tensor_names: of its weights, as timm calls them, from the first layer to the head.
    """
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in tensor_names))
    names = list(class_names)
    config: dict[str, Any] = {
        "architecture": architecture,
        "num_classes": len(names),
        "pretrained_cfg": {
            "num_classes": len(names),
            "input_size": list(preprocessing.image_shape),
            "fixed_input_size": False,
            "interpolation": preprocessing.interpolation,
            "crop_pct": _crop_share(preprocessing),
            "crop_mode": CROP_MODES[preprocessing.fit],
            "mean": list(preprocessing.mean),
            "std": list(preprocessing.std),
            "first_conv": layers[0],
            "classifier": layers[-1],
            "custom_load": False,
            "label_names": names,
        },
        "label_names": names,
    }
    if preprocessing.channels != 3:
        config["model_args"] = {"in_chans": preprocessing.channels}
    return (json.dumps(config, indent=2) + "\n").encode()


def _crop_share(preprocessing: Preprocessing) -> float:
    """The share of the resized image that is looked at; timm divides by it and rounds down.

    >>> _crop_share(Preprocessing(224, 256)), _crop_share(Preprocessing(32, 32))
    (0.875, 1.0)
    """
    if preprocessing.fit != "crop":
        return 1.0
    size, resized = preprocessing.image_size_px, preprocessing.resize_px
    share = size / resized
    return share if math.floor(size / share) == resized else math.nextafter(share, 0)
