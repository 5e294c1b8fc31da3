"""What `describe FILE` says: as much as the file tells, and what it leaves open."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.small_classifiers import small_classifier
from tests.small_decisions import MIXED, with_yardstick

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.decision import Decision
from resnetkit.classifier.demanding import demanding
from resnetkit.errors import ResnetkitError
from resnetkit.images.spec import Preprocessing
from resnetkit.models.resnet import create_model
from resnetkit.sources.describe_file import report_on


def saved(path: Path, name: str, **settings: object) -> str:
    torch.save({"state_dict": create_model(name, **settings).state_dict(), "epoch": 3}, path)
    return str(path)


def test_a_file_that_tells_all(tmp_path: Path) -> None:
    entry, report = report_on(saved(tmp_path / "a.pth", "wrn_16_4", num_classes=7))
    assert entry is not None
    assert (entry.spec.num_classes, entry.image_size_px) == (7, 32)
    assert report["network"] == ["wrn_16_4"]
    assert report["classes"] == "7, not named in the file"
    assert report["kind"].startswith("weights (torch, named as in torchvision / timm v1)")
    assert "took the entry 'state_dict'" in report["read"][0]
    assert report["images"].endswith("(assumed: the file does not say)")


def test_a_file_that_leaves_a_choice(tmp_path: Path) -> None:
    entry, report = report_on(saved(tmp_path / "a.pth", "resnet50", widths=(8, 8, 8, 8)))
    assert entry is None
    lines = "\n".join(report["network"])
    assert "resnet50[widths=[8,8,8,8]]: " in lines
    assert "resnet50_v1[widths=[8,8,8,8]]: " in lines
    assert "--model" in lines


def test_tensors_that_no_network_has(tmp_path: Path) -> None:
    state = create_model("resnet20_b").state_dict()
    state["layer2.0.conv1.weight"] = torch.zeros(5, 5, 5, 5)
    torch.save(state, tmp_path / "a.pth")
    entry, report = report_on(str(tmp_path / "a.pth"))
    assert entry is None
    assert report["network"][0].startswith("none that is known")


def test_a_classifier_of_ours(tmp_path: Path) -> None:
    network = create_model("resnet20_b", in_channels=1, num_classes=2, depths=(1, 1, 1))
    classifier = Classifier(network, Preprocessing(8, 9, 1, (0.5,), (0.25,)), ("yes", "no"), {"epochs": 3})
    classifier.save(tmp_path / "c.safetensors")
    entry, report = report_on(str(tmp_path / "c.safetensors"))
    assert entry is not None
    assert entry.spec == network.spec
    assert report["classes"] == "yes, no"
    assert report["origin"] == ["epochs: 3"]
    assert report["images"] == "shorter side 9 px, centre 8 px, grey, mean 0.5, std 0.25"


def test_what_is_no_file_of_weights(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"hello, this is no weight file at all")
    with pytest.raises(ResnetkitError, match="cannot be read"):
        report_on(str(tmp_path / "a.pth"))


def test_a_classifier_says_how_it_decides_and_by_which_images(tmp_path: Path) -> None:
    classifier = demanding(with_yardstick(replace(small_classifier(), decision=Decision(1.5))), MIXED)
    classifier.save(tmp_path / "classifier.safetensors")
    _, report = report_on(str(tmp_path / "classifier.safetensors"))
    assert report["temperature"] == "1.5"
    assert report["unknown"] == "like none of its classes; 20 % of images of its classes may be called so"
    assert "80 % are to be right" in report["unsure"]
    assert report["sets"] == "hold the true class of 70 % of images (lac)"
    assert report["thresholds by"] == "400 images: val of drawn"
    small_classifier().save(tmp_path / "plain.safetensors")
    _, plain = report_on(str(tmp_path / "plain.safetensors"))
    assert not {"temperature", "unknown", "unsure", "sets", "thresholds by"} & set(plain)
