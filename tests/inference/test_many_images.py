"""Rows in a folder: those of one process, whatever computes them, each once, also after a kill."""

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.evaluation.scoring import Evaluation, evaluate
from resnetkit.inference import many_images, row_folder
from resnetkit.inference.answering import Answer, Opening, Predicting, Scoring
from resnetkit.inference.many_images import answer_missing, examine_into, opened_rows
from resnetkit.inference.predictors import open_predictor

NUM_IMAGES, BROKEN = 300, "3/broken.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits as files in class folders, and one that is broken."""
    root, digits = tmp_path_factory.mktemp("photos"), load_digits()
    for number in range(NUM_IMAGES):
        path = root / str(digits.target[number]) / f"{number:03}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray((digits.images[number] * 15.9).astype(np.uint8)).save(path)
    whole = (root / "3").glob("*.png")
    (root / BROKEN).write_bytes(next(whole).read_bytes()[:-30])
    return root


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_folder, "ROWS_TOGETHER", 64)


@pytest.fixture
def predicting(pretrained: Path) -> Predicting:
    return Predicting(Opening(str(pretrained), engine="torch"), top=3)


def files_in(folder: Path) -> list[str]:
    return sorted(map(str, folder.rglob("*.png")))


@dataclass(frozen=True)
class Stopped(Predicting):
    """Raises instead of answering a second part."""

    def open(self) -> Answer:
        answer, num_asked = super().open(), iter(range(100))

        def stop(paths: Sequence[str]) -> Any:
            if next(num_asked) == 1:
                raise KeyboardInterrupt
            return answer(paths)

        return stop


def test_rows_are_those_of_predict_each_once_also_after_a_stop(
    folder: Path, tmp_path: Path, predicting: Predicting
) -> None:
    files, out = files_in(folder), tmp_path / "rows.parquet"
    with pytest.raises(KeyboardInterrupt), opened_rows(out, predicting) as rows:
        answer_missing(rows, Stopped(predicting.opening, predicting.top), files[:-10], None)
    assert pq.read_table(out).num_rows == 64
    (out / ".part-000001.parquet.0123456789abcdef").write_bytes(b"half")
    for _ in range(2):  # the second time there is nothing to do
        with opened_rows(out, predicting) as rows:
            assert len(rows.missing([*files, files[0]])) in (len(files) - 64, 0)
            answer_missing(rows, predicting, files, None)
    assert sorted(path.name for path in out.iterdir()) == [
        "_manifest.json",
        *(f"part-{n:06}.parquet" for n in range(5)),
    ]
    found = {row["path"]: row for row in pq.read_table(out).to_pylist()}
    assert len(found) == pq.read_table(out).num_rows == len(files)
    for prediction in open_predictor(predicting.opening.source, engine="torch").predict(files, top=3):
        row = found[prediction.source]
        assert (row["status"], row["reason"]) == (prediction.status, prediction.reason)
        assert row["top_classes"] == [name for name, _ in prediction.top]
        np.testing.assert_allclose(row["top_probabilities"], [share for _, share in prediction.top], atol=1e-6)
    assert [path for path, row in found.items() if row["status"] == "error"] == [f"{folder}/{BROKEN}"]


def test_rows_of_another_kind_are_not_mixed_in(folder: Path, tmp_path: Path, predicting: Predicting) -> None:
    with opened_rows(tmp_path / "rows", predicting) as rows:
        answer_missing(rows, predicting, files_in(folder)[:2], None)
        with pytest.raises(ResnetkitError, match="another process"), opened_rows(tmp_path / "rows", predicting):
            pass
    with (
        pytest.raises(ResnetkitError, match="they differ in top"),
        opened_rows(tmp_path / "rows", replace(predicting, top=2)),
    ):
        pass
    (tmp_path / "rows" / "part-000000.parquet").write_bytes(b"PAR1 no more")
    with (
        pytest.raises(ResnetkitError, match=r"part-000000.parquet is damaged"),
        opened_rows(tmp_path / "rows", predicting) as rows,
    ):
        rows.missing([])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(ResnetkitError, match="holds no rows of ours"), opened_rows(tmp_path / "other", predicting):
        pass


def scored(folder: Path, pretrained: Path, out: Path, address: str | None = None) -> Evaluation:
    data = DataSpec(str(folder), validation_fraction=0, test_fraction=0, on_bad_image="skip", cache="off")
    work = Scoring(Opening(str(pretrained), engine="torch"), data)
    with opened_rows(out, work) as rows:
        predictor = open_predictor(pretrained, engine="torch")
        return evaluate(predictor, data, examine=examine_into(rows, work, address))


def alone(folder: Path, pretrained: Path) -> Evaluation:
    data = DataSpec(str(folder), validation_fraction=0, test_fraction=0, on_bad_image="skip", cache="off")
    return evaluate(open_predictor(pretrained, engine="torch"), data)


def assert_same(one: Evaluation, other: Evaluation) -> None:
    (answers,), (others,) = one.answers, other.answers
    assert list(answers.identifiers) == list(others.identifiers)
    np.testing.assert_array_equal(answers.digests, others.digests)
    np.testing.assert_array_equal(answers.labels, others.labels)
    np.testing.assert_allclose(answers.probabilities, others.probabilities, atol=1e-6)
    assert (one.scores is None, one.bad_images) == (other.scores is None, other.bad_images)
    assert (one.num_trained_on, one.warnings) == (other.num_trained_on, other.warnings)


def test_scores_are_those_of_one_process_and_come_from_rows_that_are_there(
    folder: Path, tmp_path: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = alone(folder, pretrained)
    assert_same(scored(folder, pretrained, tmp_path / "rows"), expected)
    os.unlink(tmp_path / "rows" / "part-000002.parquet")
    assert_same(scored(folder, pretrained, tmp_path / "rows"), expected)
    monkeypatch.setattr(many_images, "in_parts", lambda missing: [] if not missing else pytest.fail("asked again"))
    assert_same(scored(folder, pretrained, tmp_path / "rows"), expected)


def test_named_data_keep_no_rows(tmp_path: Path, pretrained: Path) -> None:
    data = DataSpec("digits")
    work = Scoring(Opening(str(pretrained), engine="torch"), data)
    with opened_rows(tmp_path / "rows", work) as rows, pytest.raises(ResnetkitError, match="image folders"):
        evaluate(open_predictor(pretrained, engine="torch"), data, examine=examine_into(rows, work, None))


@dataclass(frozen=True)
class Dying(Predicting):
    """Ends its process with a part in hand, once."""

    marker: str = ""

    def open(self) -> Answer:
        answer = super().open()

        def die(paths: Sequence[str]) -> Any:
            if os.path.exists(self.marker):
                os.unlink(self.marker)
                os.kill(os.getpid(), signal.SIGKILL)
            return answer(paths)

        return die


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A cluster of this machine, for two workers."""
    ray = pytest.importorskip("ray")
    yield "local"
    ray.shutdown()


@pytest.mark.slow
def test_a_cluster_gives_the_same_rows_also_when_a_worker_is_killed(
    folder: Path, tmp_path: Path, predicting: Predicting, cluster: str
) -> None:
    files, marker = files_in(folder), tmp_path / "die"
    marker.touch()
    dying = Dying(predicting.opening, predicting.top, str(marker))
    with opened_rows(tmp_path / "rows", predicting) as rows:
        answer_missing(rows, dying, files, cluster)
    assert not marker.exists(), "a worker was killed"
    with opened_rows(tmp_path / "alone", predicting) as rows:
        answer_missing(rows, predicting, files, None)
    tables = [pq.read_table(tmp_path / name).sort_by("path").to_pylist() for name in ("rows", "alone")]
    for row, other in zip(*tables, strict=True):
        np.testing.assert_allclose(row.pop("top_probabilities"), other.pop("top_probabilities"), atol=1e-6)
        assert row.pop("probability") == pytest.approx(other.pop("probability"), abs=1e-6)
        assert row == other
