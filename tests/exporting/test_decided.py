"""Unknown, unsure and sets of an export are those of ``predict``, whatever runs it, or the export is not there."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.exporting.conftest import Script
from tests.exporting.small_page import browser_path, runtime
from tests.exporting.test_export_folder import export_to, in_this_process
from tests.exporting.test_web_export import export_page
from tests.small_decisions import MIXED, images_in, with_yardstick

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.decision import Decision, Sets, Sure, Unknown
from resnetkit.classifier.demanding import demanding
from resnetkit.classifier.prediction import Prediction
from resnetkit.errors import ResnetkitError
from resnetkit.exporting import export_folder
from resnetkit.exporting.decided_alike import Statuses, compare_decisions
from resnetkit.exporting.proof import Answered, Asked, compare
from resnetkit.exporting.proof_images import UNKNOWN
from resnetkit.exporting.targets import TARGETS
from resnetkit.exporting.web_answers import answer_by_page
from resnetkit.exporting.web_runtime import DIGESTS
from resnetkit.inference.torch_engines import plain_predictor
from resnetkit.recipes.demands import Demands

__all__ = ["browser_path", "in_this_process", "runtime"]
Make = Callable[..., Classifier]


@pytest.fixture
def classifier(make: Make, request: pytest.FixtureRequest) -> Classifier:
    """One whose thresholds lie among random images; sets by the rule that a test names."""
    rule = getattr(request, "param", "lac")
    demands = Demands(MIXED.unknown_at, MIXED.coverage, rule, MIXED.precision_at)
    return demanding(with_yardstick(make(size=16, average_mirrored=rule == "aps")), demands)


@pytest.fixture
def images(classifier: Classifier, tmp_path: Path) -> Path:
    images_in(tmp_path / "images", classifier)
    return tmp_path / "images"


def predicted(classifier: Classifier, images: Path) -> list[Prediction]:
    found = plain_predictor(classifier).predict(sorted(images.iterdir()), top=5)
    assert {row.status for row in found} == {"ok", "unsure", "unknown"}
    assert len({len(row.classes or ()) for row in found}) > 1
    return found


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("classifier", ["lac", "aps"], indirect=True)
@pytest.mark.parametrize("target", ["onnx", "openvino", pytest.param("torch", marks=pytest.mark.slow)])
def test_predict_py_prints_the_statuses_and_sets_of_predict(
    classifier: Classifier, images: Path, tmp_path: Path, script_of: Callable[..., Script], target: str
) -> None:
    exported = export_to(classifier, target, images, tmp_path / "out")
    assert exported.proof.decided is not None
    assert (exported.proof.decided.num_misjudged, exported.proof.decided.num_other) == (0, 0)
    said = json.loads((tmp_path / "out" / "classifier.json").read_text())
    assert said["decision"]["sets"]["coverage"] == MIXED.coverage
    assert [name for name in said["in_model"] if "decision" in name] == ["decision.temperature"]
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        assert script_of(classifier, target, tmp_path / "out").main([str(images)]) == 0
    for line, row in zip(told.getvalue().splitlines(), predicted(classifier, images), strict=True):
        answer, _, in_set = line.removeprefix(f"{row.source}: ").partition("  set: ")
        assert in_set == ", ".join(row.classes or ())
        assert answer.split("  (")[0].rpartition(" ")[0] == (row.class_name or "") or answer.startswith(row.status)
    assert "hold the true class of 70 % of images" in (tmp_path / "out" / "README.md").read_text()
    assert "Another status or set of classes" in (tmp_path / "out" / "proof.html").read_text()


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('known < np.float32(by["unknown"]', 'known > np.float32(by["unknown"]'),
        ("probabilities.max() < np", "probabilities.min() < np"),
        ('status = "unsure"', 'return "unsure", None'),
        ("| (order == order[0])", ""),
        ("1 - shares", "shares"),
        ("return status, None", "return status, np.arange(3)"),
    ],
)
def test_an_export_that_decides_otherwise_is_not_there(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, right: str, wrong: str
) -> None:
    demands = MIXED
    if "order == order[0]" in right:
        demands = Demands(MIXED.unknown_at, 0.3, "lac", MIXED.precision_at)  # some sets have but the first class
    if "None" in right:
        demands = Demands(MIXED.unknown_at)
    classifier = demanding(with_yardstick(make(size=16)), demands)
    images_in(tmp_path / "images", classifier)
    write = export_folder.predict_script
    text = write(TARGETS["onnx"], classifier.preprocessing, classifier.decision)
    assert right in text
    monkeypatch.setattr(export_folder, "predict_script", lambda *of: write(*of).replace(right, wrong))
    with pytest.raises(ResnetkitError, match="status or set that its numbers do not make"):
        export_to(classifier, "onnx", tmp_path / "images", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def compared(own: np.ndarray, exported: np.ndarray, precision: str) -> list[str]:
    decision = Decision(unknown=Unknown(1.0, 0.05))
    shares = [decision.probabilities(logits) for logits in (own, exported)]
    statuses = Statuses.of(decision.decide(exported))
    labels = np.full(len(own), UNKNOWN)
    answered = Answered(["a"] * len(own), labels, own, exported, *shares, decision, statuses)
    return list(compare(answered, Asked("onnx", precision), ("cat", "dog"), images="some").failures)  # type: ignore[arg-type]


def test_logits_that_all_moved_change_what_is_unknown_and_no_probability() -> None:
    own = np.float32([[[0.9, -3]], [[2, -3]]])
    moved = own + np.float32(0.5)
    assert compared(own, own, "fp32") == []
    assert compared(own, moved, "fp32") == ["1 of 2 images have another status or set"]
    assert compared(own, moved, "int8") == [], "which may lose what it is allowed to lose"
    near = np.float32([[[0.979, -3]], [[2, -3]]])  # 0.9995 nats
    assert compared(near, near + np.float32(6e-4), "fp32") == [], "a tie"


def test_sets_and_doubts_next_to_a_threshold_are_ties() -> None:
    logits = np.float32([[[1.0, 0.0]]])
    decision = Decision(sure=Sure(0.7312, 0.9), sets=Sets("lac", 0.7309, 0.9))
    own = decision.probabilities(logits)  # 0.73106
    for found in (Statuses(["ok"], np.array([[True, False]])), Statuses(["unsure"], np.array([[True, True]]))):
        alike = compare_decisions(decision, (own, logits), (own, logits), found, tolerance=1e-3)
        assert alike is not None
        assert (alike.num_other, alike.num_ties) == (1, 1)
    assert compare_decisions(Decision(), (own, logits), (own, logits), found, tolerance=1e-3) is None


@pytest.mark.slow
@pytest.mark.parametrize("classifier", ["lac", "aps"], indirect=True)
def test_a_page_decides_as_predict_does(
    classifier: Classifier, images: Path, tmp_path: Path, runtime: dict[str, bytes], browser_path: str
) -> None:
    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    for name in DIGESTS:
        (given / name).write_bytes(runtime[name])
    exported = export_page(classifier, images, out, given)
    assert "opened in a browser" in exported.proof.answered_by
    assert exported.proof.decided is not None
    assert (exported.proof.decided.num_misjudged, exported.proof.decided.num_other) == (0, 0)
    rows = predicted(classifier, images)
    found = answer_by_page(TARGETS["web"], out, [str(path) for path in sorted(images.iterdir())], 120)
    assert list(found.statuses.names) == [row.status for row in rows]
    assert found.statuses.in_set is not None
    for in_set, row in zip(found.statuses.in_set, rows, strict=True):
        assert {classifier.class_names[i] for i in np.flatnonzero(in_set)} == set(row.classes or ())
    # What the page would have decided by other thresholds is found.
    deciding = out / "page" / "deciding.js"
    deciding.write_text(deciding.read_text().replace("< Math.fround(unknown.below", "> Math.fround(unknown.below"))
    wrong = answer_by_page(TARGETS["web"], out, [str(path) for path in sorted(images.iterdir())], 120)
    assert list(wrong.statuses.names) != [row.status for row in rows]
