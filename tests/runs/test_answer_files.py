"""Answers in a run's files: nothing is lost, all scores stay, and damage is told."""

import csv
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from tests.tampering import tamper

from resnetkit.errors import Code, ResnetkitError
from resnetkit.evaluation.answers import Answers, score_answers
from resnetkit.runs import answer_files
from resnetkit.runs.answer_files import read_answers, write_answers, write_predictions

ARRAYS = ("digests", "labels", "trained_on", "probabilities")
ODD_NAMES = (
    "plain.png",
    "a,b.png",
    'with "quotes".png',
    "line\nend.png",
    "caf\udce9.png",
    "return\r.png",
    "=1+1",
    "猫.png",
)


def some_answers(split: str = "val", *, size: int = 8, num_classes: int = 12, seed: int = 0) -> Answers:
    """Answers of every kind: sure ones, even ones, and ones with many equal values or zeros."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(size, num_classes)) * rng.choice([0, 1, 5, 500], (size, 1))
    logits = np.where(rng.random((size, 1)) < 0.3, np.round(logits / 20), logits)  # ties
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return Answers(
        split,
        tuple(f"class {number}" for number in range(num_classes)),
        tuple(f"{split}/{number}.png" for number in range(size)),
        rng.integers(0, 2**64, size, np.uint64),
        rng.integers(0, num_classes, size),
        rng.random(size) < 0.3,
        (exponentials / exponentials.sum(1, keepdims=True)).astype(np.float32),
    )


def with_names(names: tuple[str, ...]) -> Answers:
    base = some_answers(size=len(names), num_classes=len(names))
    values = (base.digests, base.labels, base.trained_on, base.probabilities)
    return Answers("test", names, names, *values)


def test_familiarity_is_kept_where_there_is_some_and_a_damaged_one_is_told_of(tmp_path: Path) -> None:
    plain = some_answers("val")
    familiar = replace(some_answers("test"), familiarity=np.linspace(-3, 30, 8, dtype=np.float32))
    write_answers(tmp_path / "answers.npz", [plain, familiar])
    found = read_answers(tmp_path / "answers.npz")
    assert found["val"].familiarity is None  # as in every file of earlier versions
    assert np.array_equal(found["test"].familiarity, familiar.familiarity)
    write_answers(tmp_path / "other.npz", [replace(familiar, familiarity=np.zeros(7, np.float32))])
    with pytest.raises(ResnetkitError, match="familiarity"):
        read_answers(tmp_path / "other.npz")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = [some_answers("val"), some_answers("test", size=5, seed=1)]
    for path in (tmp_path / "one.npz", tmp_path / "two.npz"):
        write_answers(path, written)
    found = read_answers(tmp_path / "one.npz")
    assert list(found) == ["val", "test"]
    for one in written:
        other = found[one.split]
        assert (other.class_names, other.identifiers, other.num_exact) == (one.class_names, one.identifiers, None)
        for name in ARRAYS:
            np.testing.assert_array_equal(getattr(other, name), getattr(one, name), strict=True)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_no_answers_are_answers_too(tmp_path: Path) -> None:
    write_answers(tmp_path / "none.npz", [])
    assert read_answers(tmp_path / "none.npz") == {}


@pytest.mark.parametrize("num_kept", [5, 6, 9])
def test_a_large_split_keeps_the_highest_and_every_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_kept: int
) -> None:
    monkeypatch.setattr(answer_files, "MAX_NUMBERS", 100)
    monkeypatch.setattr(answer_files, "NUM_KEPT", num_kept)
    monkeypatch.setattr(answer_files, "ROWS_TOGETHER", 7)
    for seed in range(8):
        whole = some_answers(size=40, seed=seed)
        write_answers(tmp_path / "a.npz", [whole])
        read = read_answers(tmp_path / "a.npz")["val"]
        assert read.num_exact == num_kept
        for trained_on in (False, True):
            assert score_answers(read, trained_on=trained_on) == score_answers(whole, trained_on=trained_on)
        np.testing.assert_array_equal(read.predicted, whole.predicted)
        highest, expected = (np.sort(one.probabilities)[:, -num_kept:] for one in (read, whole))
        np.testing.assert_array_equal(highest, expected)
        np.testing.assert_array_equal(read.true_probabilities, whole.true_probabilities)
        assert not np.array_equal(read.probabilities, whole.probabilities)


def test_a_large_split_of_few_classes_is_kept_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_files, "MAX_NUMBERS", 0)
    write_answers(tmp_path / "a.npz", [some_answers()])
    assert read_answers(tmp_path / "a.npz")["val"].num_exact is None


def test_predictions_are_a_row_an_image_whatever_it_is_called(tmp_path: Path) -> None:
    answers = with_names(ODD_NAMES)
    write_predictions(tmp_path / "p.csv", [answers])
    text = (tmp_path / "p.csv").read_bytes().decode("utf-8", "surrogateescape")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header == list(answer_files.COLUMNS)
    assert [row[0] for row in rows] == list(ODD_NAMES)
    for number, row in enumerate(rows):
        true, predicted = answers.labels[number], answers.predicted[number]
        assert row[1:4] == ["test", ODD_NAMES[true], ODD_NAMES[predicted]]
        assert float(row[4]) == pytest.approx(answers.probabilities[number].max(), abs=1e-6)
        assert float(row[5]) == pytest.approx(answers.probabilities[number, true], abs=1e-6)
        assert row[6:] == [str(true == predicted).lower(), str(answers.trained_on[number]).lower()]


def test_names_that_are_not_utf8_are_kept(tmp_path: Path) -> None:
    write_answers(tmp_path / "a.npz", [with_names(ODD_NAMES)])
    found = read_answers(tmp_path / "a.npz")["test"]
    assert (found.class_names, found.identifiers) == (ODD_NAMES, ODD_NAMES)


def rewrite(path: Path, **changes: object) -> None:
    """Put other arrays into a file of answers; None takes one out."""
    with np.load(path) as found:
        arrays = {**found, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


GOOD = some_answers()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": np.array(2)}, "is of format 2"),
        ({"val.digests": None}, "lacks 'digests'"),
        ({"class_names": np.frombuffer(b"{}", np.uint8)}, "no list of texts"),
        ({"val.labels": GOOD.labels.astype(np.int32)}, "val.labels is int32"),
        ({"val.labels": GOOD.labels[:-1]}, "val.labels is int64 (7,)"),
        ({"val.labels": GOOD.labels + 12}, "not all positions"),
        ({"val.trained_on": GOOD.trained_on.astype(np.int8)}, "val.trained_on is int8"),
        ({"val.probabilities": GOOD.probabilities.astype(np.float64)}, "are float64"),
        ({"val.probabilities": GOOD.probabilities[:, :3]}, "are float32 (8, 3)"),
        ({"val.probabilities": GOOD.probabilities * np.float32(np.nan)}, "do not all sum to 1"),
        ({"val.probabilities": -GOOD.probabilities}, "do not all sum to 1"),
    ],
)
def test_what_does_not_fit_is_damage(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    write_answers(tmp_path / "a.npz", [GOOD])
    rewrite(tmp_path / "a.npz", **changes)
    with pytest.raises(ResnetkitError, match="are damaged") as caught:
        read_answers(tmp_path / "a.npz")
    assert words in caught.value.why


def test_nothing_pickled_is_read(tmp_path: Path) -> None:
    write_answers(tmp_path / "a.npz", [GOOD])
    rewrite(tmp_path / "a.npz", **{"val.labels": np.array([{}], object)})
    with pytest.raises(ResnetkitError, match="are damaged") as caught:
        read_answers(tmp_path / "a.npz")
    assert "allow_pickle=False" in caught.value.why


def test_an_archive_that_unpacks_to_more_than_it_is_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("format.npy", b"\0" * 10**6)
    with pytest.raises(ResnetkitError, match="are damaged"):
        read_answers(tmp_path / "a.npz")


@pytest.mark.parametrize("kept", ["whole", "highest"])
def test_a_tampered_file_is_damaged_or_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str) -> None:
    if kept == "highest":
        monkeypatch.setattr(answer_files, "MAX_NUMBERS", 10)
        monkeypatch.setattr(answer_files, "NUM_KEPT", 5)
    path = tmp_path / "a.npz"
    write_answers(path, [GOOD])
    content = path.read_bytes()
    errors = []
    for seed in range(300):
        path.write_bytes(tamper(content, Random(seed)))
        try:
            read_answers(path)
        except ResnetkitError as error:
            errors.append(error)
    assert {(error.code, "are damaged" in error.what) for error in errors} == {(Code.WEIGHTS, True)}
    assert len(errors) > 200


def test_where_there_are_no_answers_it_says_how_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(ResnetkitError, match="no answers at") as caught:
        read_answers(tmp_path / "answers.npz")
    assert "--answers" in caught.value.fix


def test_the_arrays_are_read_without_this_package(tmp_path: Path) -> None:
    write_answers(tmp_path / "a.npz", [GOOD])
    with np.load(tmp_path / "a.npz") as found:
        assert json.loads(found["val.identifiers"].tobytes()) == list(GOOD.identifiers)
        assert found["val.probabilities"].shape == (8, 12)
