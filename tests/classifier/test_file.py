"""The head of a classifier file, read without its network."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.file import find_description, read_description
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.spec import Preprocessing
from resnetkit.models.resnet import create_model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    network = create_model("resnet20", depths=(1,), widths=(16,), strides=(1,), num_classes=2)
    Classifier(network, Preprocessing(8, 8), ("a", "b"), {"data": "x"}).save(tmp_path / "c.safetensors")
    return tmp_path / "c.safetensors"


def test_the_head_says_what_the_classifier_is(file: Path) -> None:
    description = read_description(file)
    assert description.class_names == ("a", "b")
    assert description.preprocessing == Preprocessing(8, 8)
    assert (description.model.depths, description.provenance) == ((1,), {"data": "x"})


def test_files_of_ours_are_told_from_others(file: Path, tmp_path: Path) -> None:
    weights, text = tmp_path / "weights.safetensors", tmp_path / "text"
    save_file({"a": torch.ones(1)}, weights)
    text.write_text("no")
    others = (weights, text, tmp_path / "nowhere")
    assert [find_description(path) for path in (file, *others)] == [read_description(file), None, None, None]
    with pytest.raises(ResnetkitError, match="holds weights, but no network") as raised:
        read_description(weights)
    assert raised.value.code is Code.WEIGHTS
    with pytest.raises(ResnetkitError, match="not a readable classifier"):
        read_description(text)
