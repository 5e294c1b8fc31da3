"""Networks that an audit trains find planted labels, judge only what they have not met, and leave nothing."""

import signal
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.audit.altered import picture, save, write_photos
from tests.audit.flipped import NUM_CLASSES, Flipped, flipped_digits

from resnetkit import create_model
from resnetkit.audit import trained_judge
from resnetkit.audit.auditing import Audit, audit_data
from resnetkit.audit.label_judgement import Judgement
from resnetkit.audit.subject import Subject
from resnetkit.audit.trained_judge import judge_by_training
from resnetkit.data.given import NO_TEST, GivenData
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.images.spec import Preprocessing
from resnetkit.runs.events import Listener, StepReport
from resnetkit.sources.weights import Embedder


def audit_of(digits: Flipped, **shares: float) -> Audit:
    spec = replace(NO_TEST, **shares)  # type: ignore[arg-type]
    given = GivenData(digits.images, digits.labels, tuple(map(str, range(NUM_CLASSES))), spec)
    return audit_data(given, find_judge=judge_by_training)


def test_most_of_those_that_were_made_wrong_come_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trained_judge, "LEAST_UPDATES", 80)
    digits = flipped_digits(20, num_images=400)
    audit = audit_of(digits)
    subject = audit.subject
    is_wrong = digits.is_wrong[[int(name) for name in subject.identifiers]]
    judgement = subject.judgement
    assert judgement.is_judged.all(), "those that validate too"
    assert is_wrong[judgement.ranked[:20]].mean() > 0.6
    assert audit.as_dict()["num_label_issues"] == judgement.num_wrong > 5
    (finding,) = (one for one in audit.findings if one.name == "label_issues")
    assert "that was trained for it on half of the training images" in finding.advice
    err = capsys.readouterr().err
    assert "training networks, each on one half of the training images" in err
    assert "training takes about" in err


def test_a_judgement_is_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained_judge, "LEAST_UPDATES", 1)
    digits = flipped_digits(5, num_images=120)
    one, other = (audit_of(digits, test_fraction=0.2).subject.judgement for _ in range(2))
    assert np.array_equal(one.probabilities, other.probabilities)


class Watched:
    """In place of training and asking, what each network was trained on, and which rows it was asked about."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trained: list[list[str]] = []
        self.asked: list[list[int]] = []
        monkeypatch.setattr(trained_judge, "_train", self.train)
        monkeypatch.setattr(trained_judge, "judge_rows", self.judge)

    def train(self, planned: trained_judge._Planned, listener: Listener) -> Embedder:
        assert list(planned.source.listings) == ["train"]
        self.trained.append(list(planned.source.listings["train"].identifiers))
        return Embedder(create_model("resnet20", num_classes=2), Preprocessing(32, 32))

    def judge(self, subject: Subject, rows: np.ndarray, features: np.ndarray) -> Judgement:
        assert len(features) == len(rows)
        self.asked.append(rows.tolist())
        probabilities = np.full((len(rows), len(subject.class_names)), 0.5)
        return Judgement(subject.labels[rows], probabilities, np.ones(len(rows), np.bool_))


def test_no_network_is_asked_about_what_it_has_met_nor_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched, photos = Watched(monkeypatch), write_photos(tmp_path, train=20, val=8)
    for number in range(12):  # as they are, and stored anew, in both splits
        save(picture(number), photos / ("train", "val")[number % 2] / "dog" / f"same{number}.png")
        save(picture(number), photos / ("val", "train")[number % 2] / "cat" / f"anew{number}.jpg", quality=70)
    subject = audit_data(
        DataSpec(str(photos), group_by=r"([a-z]+/[a-z]*\d)\d*\."), find_judge=judge_by_training
    ).subject
    row_of = {name: row for row, name in enumerate(subject.identifiers)}
    assert len(np.unique(subject.sets)) < len(subject) - 12
    assert subject.judgement.is_judged.all()
    assert sorted(row for rows in watched.asked for row in rows) == list(range(len(subject)))
    for trained, asked in zip(watched.trained, watched.asked, strict=True):
        met = {int(subject.sets[row_of[name]]) for name in trained}
        assert met.isdisjoint(subject.sets[asked].tolist())
        assert {subject.split_of(row) for row in asked} == {"train", "val"}
        assert len(trained) > len(subject.rows_of("train")) / 4


@pytest.mark.parametrize(("number", "ending"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_what_is_stopped_leaves_no_folder(
    number: signal.Signals, ending: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[Path] = []

    def stop(self: Listener, report: StepReport) -> None:
        if not there:  # to ask twice would end the run at once, however it is asked
            there.extend(tmp_path.glob("resnetkit-*"))
            signal.raise_signal(number)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(trained_judge._Progress, "step_ended", stop)
    with pytest.raises(ending):
        audit_of(flipped_digits(0, num_images=160))
    assert there
    assert not list(tmp_path.glob("resnetkit-*")), "of ours; torch makes a folder of its own"


def test_data_without_training_images_are_refused_before_any_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resnetkit.audit.subject._look_at", lambda *args: pytest.fail("decoded"))
    for number in range(4):
        save(picture(number), tmp_path / f"{number}.png")
    rows = [f"{number}.png,{'ab'[number % 2]},test" for number in range(4)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label,split", *rows]))
    with pytest.raises(ResnetkitError, match="no training images, so no network can be trained"):
        audit_data(str(tmp_path / "list.csv"), find_judge=judge_by_training)


def test_no_network_is_trained_where_no_label_could_be_judged_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten images of each class are five of each half, of which four are too few for a head to learn from."""
    watched = Watched(monkeypatch)
    images = np.random.default_rng(0).integers(0, 256, (24, 8, 8), dtype=np.uint8)
    for few, is_judged in ((20, False), (24, True)):
        given = GivenData(images[:few], np.arange(few) % 2, ("a", "b"), replace(NO_TEST, validation_fraction=0.0))
        audit = audit_data(given, find_judge=judge_by_training)
        assert bool(watched.trained) == is_judged
        assert (f"wrong labels of {few} images" in audit.left_out) != is_judged


def test_too_few_images_are_not_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All images of a class show one object, so the other half has nothing to compare with."""
    watched = Watched(monkeypatch)
    for number in range(12):
        save(picture(number, (28, 28)), tmp_path / "ab"[number % 2] / f"{'pq'[number % 2]}_{number}.png")
    audit = audit_data(
        DataSpec(str(tmp_path), group_by="/(.)_", validation_fraction=0.0, test_fraction=0.0),
        find_judge=judge_by_training,
    )
    assert not watched.trained
    assert audit.counts["label_issues"] == 0
    assert not audit.subject.judgement.is_judged.any()
