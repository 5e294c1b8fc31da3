"""The config.json for timm says sizes as timm computes them."""

import json
import math

import pytest

from resnetkit.images.spec import Fit, Preprocessing
from resnetkit.publishing.timm_config import timm_config


def cfg(preprocessing: Preprocessing) -> dict[str, object]:
    names = ["conv1.0.weight", "conv1.1.weight", "head.fc.weight", "head.fc.bias"]
    config = json.loads(timm_config("resnet14t", names, preprocessing, ("ant", "bee")))
    assert (config["architecture"], config["num_classes"]) == ("resnet14t", 2)
    return dict(config["pretrained_cfg"])


def test_the_share_that_is_cropped_gives_the_size_that_is_resized_to() -> None:
    for size in (1, 10, 32, 49, 64, 93, 176, 224, 299, 480):
        for resized in range(size, 2 * size + 10):
            share = cfg(Preprocessing(size, resized))["crop_pct"]
            assert isinstance(share, float)
            assert math.floor(size / share) == resized


@pytest.mark.parametrize(("fit", "mode"), [("crop", "center"), ("squeeze", "squash"), ("pad", "border")])
def test_each_way_to_make_a_square_has_its_word(fit: Fit, mode: str) -> None:
    said = cfg(Preprocessing(64, 72, fit=fit))
    assert said["crop_mode"] == mode
    assert (said["crop_pct"] == 1) == (fit != "crop")


def test_the_first_and_the_last_layer_are_named() -> None:
    said = cfg(Preprocessing(64, 72))
    assert (said["first_conv"], said["classifier"]) == ("conv1.0", "head.fc")
