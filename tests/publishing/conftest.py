"""A finished run, also one whose network timm has."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fake_hub import TOKEN
from tests.small_classifiers import randomize

from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.images.spec import Preprocessing
from resnetkit.models.catalog import find_entry
from resnetkit.models.resnet import ResNet
from resnetkit.runs.folder import RunFolder


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return TOKEN


@pytest.fixture
def run(pretrained: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(pretrained, tmp_path / "0007-resnet20_b-digits")))


def with_network(run: RunFolder, name: str, preprocessing: Preprocessing) -> Classifier:
    """Replace the classifier of a run by one of another network."""
    old = load_classifier(run.classifier_file)
    spec = replace(find_entry(name).spec, num_classes=10, in_channels=preprocessing.channels)
    network = ResNet(spec).eval()
    randomize(network)
    new = Classifier(network, preprocessing, old.class_names, old.provenance)
    new.save(run.classifier_file)
    return new
