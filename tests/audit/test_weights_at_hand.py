"""Without a named network, photographs are looked at by the weights at hand that train would start from."""

from pathlib import Path

import pytest
from tests.audit.altered import picture, save, write_photos

from resnetkit import Classifier, create_model
from resnetkit.audit.auditing import audit_data
from resnetkit.audit.weights_at_hand import embedder_at_hand
from resnetkit.images.spec import Preprocessing
from resnetkit.sources.weight_store import VARIABLE


@pytest.fixture
def at_hand(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's with one network for photographs."""
    folder = tmp_path / "weights"
    folder.mkdir()
    network = create_model("resnet18", num_classes=2)
    Classifier(network, Preprocessing(96, 96), ("a", "b"), {"model": "resnet18"}).save(folder / "mine.safetensors")
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder


def test_photographs_are_looked_at(at_hand: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit = audit_data(str(write_photos(tmp_path / "photos", train=12, val=4)), embedder=embedder_at_hand)
    assert "looked at by the weights mine" in capsys.readouterr().err
    assert not audit.left_out
    assert "num_label_issues" in audit.as_dict()


def test_small_images_are_not(at_hand: Path, tmp_path: Path) -> None:
    for number in range(12):
        save(picture(number, (28, 28)), tmp_path / "photos" / "ab"[number % 2] / f"{number}.png")
    audit = audit_data(str(tmp_path / "photos"), embedder=embedder_at_hand)
    assert "wrong labels" in audit.left_out


def test_without_weights_labels_are_left_out(store: Path, tmp_path: Path) -> None:
    audit = audit_data(str(write_photos(tmp_path / "photos", train=12, val=4)), embedder=embedder_at_hand)
    assert "wrong labels" in audit.left_out
