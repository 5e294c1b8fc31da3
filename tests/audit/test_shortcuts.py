"""Shortcuts: planted ones are found, and nothing where there are none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from tests.audit.altered import picture, save

from resnetkit.audit.auditing import Audit, audit_data
from resnetkit.audit.findings import Finding
from resnetkit.audit.object_free_facts import Fact
from resnetkit.audit.shortcuts import divide, predict_classes
from resnetkit.data.spec import DataSpec

CLASSES = ("ant", "bee", "wasp")
PER_CLASS = 30
NAMES = ("shortcuts", "weak_shortcuts", "background_shortcuts")


def write(
    folder: Path, odd: str = "", *, usual: str = "jpg", suffix: str = "jpg", border: int = 0, name: str = "{}"
) -> Path:
    """Three classes of pictures without a meaning; those of the odd one are stored otherwise."""
    for label, class_name in enumerate(CLASSES):
        for number in range(PER_CLASS):
            image = picture(1000 * label + number)
            path = folder / class_name / f"{number}.{usual}"
            if class_name == odd:
                path = path.with_name(f"{name.format(number)}.{suffix}")
                image = ImageOps.expand(ImageOps.crop(image, border), border, "black") if border else image
            save(image, path)
    return folder


def found(audit: Audit) -> dict[str, Finding]:
    return {finding.name: finding for finding in audit.findings if finding.name in NAMES}


def test_nothing_is_found_where_nothing_tells(tmp_path: Path) -> None:
    audit = audit_data(str(write(tmp_path)))
    assert not found(audit)
    assert {f"num_{name}" for name in NAMES} < audit.as_dict().keys()


def test_a_class_stored_in_another_format(tmp_path: Path) -> None:
    audit = audit_data(str(write(tmp_path, "bee", suffix="png")))
    finding = found(audit)["shortcuts"]
    assert finding.severity == "warning"
    assert "the file format alone predicts the class of 6" in finding.sentence
    assert "(chance 33 %, 95 % interval" in finding.sentence
    assert "gives away 'bee' (PNG): 30 of 30 found, 0 others taken for it" in finding.sentence
    assert finding.marks
    assert {audit.subject.class_of(mark.row) for mark in finding.marks} == {"bee"}
    assert audit.as_dict()["num_shortcuts"] == finding.count >= 1


def test_a_class_with_a_border(tmp_path: Path) -> None:
    finding = found(audit_data(str(write(tmp_path, "wasp", usual="bmp", suffix="bmp", border=6))))["shortcuts"]
    assert "a frame around the picture alone" in finding.sentence
    assert "gives away 'wasp'" in finding.sentence


def test_a_class_by_another_camera(tmp_path: Path) -> None:
    write(tmp_path)
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "Model 1"
    for path in (tmp_path / "ant").iterdir():
        save(Image.open(path), path, exif=exif)
    finding = found(audit_data(str(tmp_path)))["shortcuts"]
    assert "the camera alone" in finding.sentence
    assert "'ant' (Maker Model 1): 30 of 30 found" in finding.sentence


def test_a_class_with_other_names(tmp_path: Path) -> None:
    finding = found(audit_data(str(write(tmp_path, "ant", name="DSC_{:04}"))))["shortcuts"]
    assert "the pattern of file names alone" in finding.sentence
    assert "'ant' (DSC_#.jpg)" in finding.sentence


def test_names_of_classes_in_names_of_files_are_none(tmp_path: Path) -> None:
    for class_name in CLASSES:
        for number in range(PER_CLASS):
            image = picture(1000 * CLASSES.index(class_name) + number)
            save(image, tmp_path / class_name / f"{class_name}_{number}.jpg")
    assert not found(audit_data(str(tmp_path)))


def test_colours_at_the_edges_are_no_warning(tmp_path: Path) -> None:
    for label, class_name in enumerate(CLASSES):
        for number in range(PER_CLASS):
            pixels = np.asarray(picture(1000 * label + number)).astype(int)
            if class_name == "bee":
                pixels[..., 1] = np.minimum(255, pixels[..., 1] + 90)  # on a meadow
            save(Image.fromarray(pixels.astype(np.uint8)), tmp_path / class_name / f"{number}.bmp")
    finding = found(audit_data(str(tmp_path)))
    assert "shortcuts" not in finding
    assert finding["background_shortcuts"].severity == "info"


def test_what_tells_one_object_from_another_is_no_shortcut_where_groups_say_so(tmp_path: Path) -> None:
    """Each of twelve objects is in images of a size of its own, which tells nothing of the class of another object."""
    for thing in range(12):
        for view in range(6):
            side = 40 + 2 * (5 * thing % 12)
            save(picture(100 * thing + view, (side, side)), tmp_path / CLASSES[thing % 3] / f"thing{thing}_{view}.png")
    whole = {"validation_fraction": 0.0, "test_fraction": 0.0}
    assert "shortcuts" in found(audit_data(DataSpec(str(tmp_path), **whole)))
    assert "shortcuts" not in found(audit_data(DataSpec(str(tmp_path), group_by=r"([^/_]+)_\d+", **whole)))


def one_fact(values: np.ndarray) -> list[Fact]:
    return [Fact("it", "file", values.astype(np.float64)[:, None])]


def folds(labels: np.ndarray) -> np.ndarray:
    return divide(labels, np.arange(len(labels)))


def test_one_class_of_many_is_given_away() -> None:
    """It hardly moves the share of right answers, and still is a shortcut."""
    labels = np.arange(1000) % 50
    (prediction,) = predict_classes(one_fact(labels == 7), labels, folds(labels), 50)
    assert prediction.given_away.tolist() == [7]
    assert prediction.accuracy.value < 0.05


def test_the_largest_class_is_not_given_away_by_being_large() -> None:
    labels = (np.arange(400) % 20 == 0).astype(np.int64)
    values = np.random.default_rng(0).normal(size=400)
    (prediction,) = predict_classes(one_fact(values), labels, folds(labels), 2)
    assert prediction.accuracy.value > 0.9
    assert not prediction.is_strong
    assert not prediction.is_weak


def test_what_tells_a_little_is_weak() -> None:
    labels = np.arange(600) % 3
    values = labels + np.random.default_rng(0).normal(0, 1.2, 600)
    (prediction,) = predict_classes(one_fact(values), labels, folds(labels), 3)
    assert prediction.is_weak
    assert not prediction.is_strong


@pytest.mark.parametrize("seed", range(20))
def test_chance_is_not_called_a_shortcut(seed: int) -> None:
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 4, 300)
    facts = [Fact(f"fact {number}", "file", draw.normal(size=(300, 1))) for number in range(4)]
    predictions = predict_classes(facts, labels, folds(labels), 4)
    assert len(predictions) == 5
    assert not any(prediction.is_strong or prediction.is_weak for prediction in predictions)
