"""The text of a classifier's file: formats of earlier versions, and sections of later ones."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from resnetkit.classifier.classifier import load_classifier
from resnetkit.classifier.decision import Decision, Unknown
from resnetkit.classifier.description import Description, from_sections, parse, to_text
from resnetkit.classifier.file import read_description
from resnetkit.data.seen import SeenImages
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.inference.torch_engines import plain_predictor

# As the first versions wrote them, word by word; the network is a conv, one block and a head.
PREPROCESSING = {
    "image_size_px": 8, "resize_px": 8, "channels": 1, "mean": [0.5], "std": [0.25], "interpolation": "bilinear",
}  # fmt: skip
BLOCK = {
    "kernel_sizes": [3, 3], "strided_conv": 0, "expansion": 1, "groups": 1, "group_width": 64,
    "order": {"unit": ["conv", "bn", "act"], "after_add": ["act"]}, "join": {"kind": "add"},
    "projection": {"steps": ["subsample", "pad"], "reads": "input"}, "shrink": None, "identity_reads": "input",
    "conv_bias": [], "drop_rate": 0.0,
}  # fmt: skip
MODEL = {
    "depths": [1], "widths": [2], "strides": [1], "strided_block": "first", "first_block": None,
    "stem": {"kernel_sizes": [3], "widths": [2], "stride": 1, "bias": False, "steps": None, "pool": "none"},
    "tail": None, "pooling": "avg", "num_classes": 2, "in_channels": 1, "padding": "symmetric",
    "initialization": {
        "conv": {"fan": "out", "kind": "he_normal"}, "head": {"kind": "fan_in_uniform"}, "zero_last": False,
    },
}  # fmt: skip
ABOUT = {"class_names": ["no", "yes"], "provenance": {"data": "digits", "epochs": 1}}
FIRST_MODEL = {
    **MODEL,
    "block": {**BLOCK, "project_always": False, "attention": "none"},
    "norm": {"eps": 1e-05, "momentum": 0.1},
}
SECOND_BLOCK = {**BLOCK, "project": "shape_change", "attention": {"kind": "none"}, "antialias": "none"}
SECOND_MODEL = {
    **MODEL, "block": SECOND_BLOCK, "norm": {"eps": 1e-05, "momentum": 0.1, "kind": "batch_norm"}, "conv": "plain",
    "stochastic_depth_rate": 0.0,
}  # fmt: skip
FORMATS = {
    "1, at first": {"format": "resnetkit classifier 1", "model": FIRST_MODEL, "preprocessing": PREPROCESSING, **ABOUT},
    "1": {
        "format": "resnetkit classifier 1", "model": SECOND_MODEL,
        "preprocessing": {**PREPROCESSING, "average_mirrored": False}, **ABOUT,
    },
    "2": {
        "format": "resnetkit classifier 2", "model": SECOND_MODEL,
        "preprocessing": {**PREPROCESSING, "channel_order": "rgb", "average_mirrored": False}, **ABOUT,
        "limits": {"max_pixels": 1000, "max_file_bytes": 2000}, "seen": {"train": "AQAAAAAAAAA="},
    },
}  # fmt: skip


def tensors() -> dict[str, torch.Tensor]:
    """Numbers that make another answer of every layer."""
    shapes = {"conv1.weight": (2, 1, 3, 3), "fc.weight": (2, 2), "fc.bias": (2,)}
    shapes |= {f"layer1.0.conv{i}.weight": (2, 2, 3, 3) for i in (1, 2)}
    norms = {"weight": 0.5, "bias": 0.1, "running_mean": 0.2, "running_var": 0.7}
    found = {f"{at}.{name}": torch.tensor([value, -value if name != "running_var" else 2 * value])
             for at in ("bn1", "layer1.0.bn1", "layer1.0.bn2") for name, value in norms.items()}  # fmt: skip
    found |= {f"{at}.num_batches_tracked": torch.tensor(1) for at in ("bn1", "layer1.0.bn1", "layer1.0.bn2")}
    for name, shape in shapes.items():
        numbers = torch.arange(int(np.prod(shape)), dtype=torch.float32)
        found[name] = torch.sin(1.3 * numbers + len(name)).reshape(shape)
    return found


def write(file: Path, description: Any) -> Path:
    save_file(tensors(), file, metadata={"resnetkit": json.dumps(description)})
    return file


IMAGE = (np.arange(64, dtype=np.uint8) * 3).reshape(8, 8)
EXPECTED = [[0.4831637144, 0.5168363452]]  # by the code that wrote the second of these


@pytest.mark.parametrize("format", FORMATS)
def test_files_of_earlier_formats_open_and_answer_as_they_did(tmp_path: Path, format: str) -> None:
    classifier = load_classifier(write(tmp_path / "old.safetensors", FORMATS[format]))
    assert (classifier.class_names, classifier.provenance) == (("no", "yes"), {"data": "digits", "epochs": 1})
    assert (classifier.preprocessing.mean, classifier.preprocessing.std) == ((0.5,), (0.25,))
    answer = plain_predictor(classifier).predict_proba([IMAGE])
    np.testing.assert_allclose(answer, EXPECTED, atol=1e-6)
    if format == "2":
        assert classifier.limits == Limits(1000, 2000)
        assert classifier.seen == SeenImages(train="AQAAAAAAAAA=")
    else:
        assert (classifier.limits, classifier.seen) == (Limits(), None)


@pytest.mark.parametrize("format", FORMATS)
def test_loaded_and_saved_they_are_of_this_format_and_answer_the_same(tmp_path: Path, format: str) -> None:
    old = load_classifier(write(tmp_path / "old.safetensors", FORMATS[format]))
    old.save(tmp_path / "new.safetensors")
    new = load_classifier(tmp_path / "new.safetensors")
    description = read_description(tmp_path / "new.safetensors")
    assert description == read_description(tmp_path / "old.safetensors")
    assert json.loads(to_text(description))["format"] == "resnetkit classifier 3"
    assert new.to_bytes() == old.to_bytes() == (tmp_path / "new.safetensors").read_bytes()
    assert np.array_equal(plain_predictor(new).predict_proba([IMAGE]), plain_predictor(old).predict_proba([IMAGE]))


def test_what_the_first_format_called_otherwise_is_understood() -> None:
    block = {**BLOCK, "project_always": True, "attention": "eca"}
    text = json.dumps({**FORMATS["1, at first"], "model": {**FIRST_MODEL, "block": block, "first_block": block}})
    model = from_sections(parse(text, "a file"), Path()).model
    for found in (model.block, model.first_block):
        assert found is not None
        assert (found.project, found.attention.kind) == ("always", "eca")


@pytest.fixture
def description() -> Description:
    return from_sections(parse(json.dumps(FORMATS["2"]), "a file"), Path())


def test_a_text_is_read_back_whatever_it_holds(description: Description) -> None:
    """Names of folders that are no UTF-8, and all that provenance can hold."""
    odd = Description(
        description.model, description.preprocessing, ("caf\udce9", "\x1b[2J"), {"é": [1, None, {"a": "\udce9"}]},
        decision=Decision(temperature=1.25),
    )  # fmt: skip
    text = to_text(odd)
    assert text.isascii()
    assert from_sections(parse(text, "a file"), Path()) == odd
    assert to_text(from_sections(parse(text, "a file"), Path())) == text


def test_sections_that_say_nothing_are_left_out(description: Description) -> None:
    usual = Description(description.model, description.preprocessing, ("no", "yes"), {})
    assert list(json.loads(to_text(usual))) == [
        "format", "needs", "model", "preprocessing", "class_names", "provenance", "limits",
    ]  # fmt: skip
    assert json.loads(to_text(usual))["needs"] == []
    calibrated = Description(usual.model, usual.preprocessing, usual.class_names, {}, decision=Decision(temperature=2))
    assert json.loads(to_text(calibrated))["needs"] == ["decision"]


def later(tmp_path: Path, **sections: Any) -> Path:
    return write(tmp_path / "later.safetensors", {**FORMATS["2"], "format": "resnetkit classifier 3", **sections})


def test_a_later_section_that_no_answer_depends_on_is_told_and_left_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = later(tmp_path, needs=[], licence={"name": "CC0"})
    for _ in range(2):
        assert load_classifier(file).class_names == ("no", "yes")
    (line,) = capsys.readouterr().err.splitlines()
    assert "its section 'licence' is of a later version" in line


def test_a_later_section_that_answers_depend_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResnetkitError, match="written by a later version") as raised:
        load_classifier(later(tmp_path, needs=["decision", "crops"], crops=5, decision={"temperature": 2.0}))
    assert raised.value.code is Code.WEIGHTS
    assert "depend on its crops" in raised.value.why
    assert load_classifier(later(tmp_path, needs=["decision"], decision={"temperature": 2.0})).decision.temperature == 2


@pytest.mark.parametrize("needs", [3, None, "crops", {"crops": 1}])
def test_needs_of_another_kind_are_no_bug(tmp_path: Path, needs: Any) -> None:
    with pytest.raises(ResnetkitError) as raised:
        load_classifier(later(tmp_path, needs=needs, crops=5))
    assert raised.value.code is Code.WEIGHTS


def test_the_usual_of_a_section_is_what_its_absence_means() -> None:
    assert (Decision().temperature, Preprocessing(8, 8).average_mirrored) == (1.0, False)


def with_section(name: str, value: Any) -> dict[str, Any]:
    return {**FORMATS["2"], "format": "resnetkit classifier 3", "needs": ["decision"], name: value}


def test_a_file_of_this_format_from_before_thresholds_and_yardsticks_opens(tmp_path: Path) -> None:
    file = write(tmp_path / "old.safetensors", with_section("decision", {"temperature": 2.0}))
    classifier = load_classifier(file)
    assert (classifier.decision, classifier.yardstick) == (Decision(2.0), None)
    assert json.loads(to_text(classifier.description))["decision"] == {"temperature": 2.0}


def test_of_a_decision_only_what_is_set_is_written_so_that_an_earlier_version_can_read_it(tmp_path: Path) -> None:
    decision = Decision(1.5, unknown=Unknown(3.0, 0.05))
    old = load_classifier(write(tmp_path / "old.safetensors", FORMATS["2"]))
    description = replace(old, decision=decision).description
    written = json.loads(to_text(description))
    assert written["decision"] == {"temperature": 1.5, "unknown": {"below": 3.0, "rate": 0.05}}
    assert written["needs"] == ["decision"]
    assert from_sections(parse(to_text(description), "a file"), Path()).decision == decision


def test_a_decision_of_a_later_version_is_refused_because_its_answers_would_be_others(tmp_path: Path) -> None:
    file = write(tmp_path / "later.safetensors", with_section("decision", {"temperature": 2.0, "mood": 1}))
    with pytest.raises(ResnetkitError, match=r"later version.*\n.*its decision\.mood"):
        load_classifier(file)
