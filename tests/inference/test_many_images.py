"""Rows in a folder: those of one process, whatever computes them, each once, also after a kill."""

import os
import signal
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from resnetkit.classifier.classifier import load_classifier
from resnetkit.classifier.file import FILE_NAME
from resnetkit.classifier.prediction import Predictor
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.evaluation.scoring import Evaluation, evaluate
from resnetkit.evaluation.sharing import given_answers
from resnetkit.inference import many_images, row_folder
from resnetkit.inference.answering import Answer, Opening, Predicting, Scoring, rows_of
from resnetkit.inference.many_images import answer_missing, examine_into, opened_rows
from resnetkit.inference.predictors import open_predictor
from resnetkit.sources.described import digest_of, open_described

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


def opening_of(source: Path) -> Opening:
    opened = open_described(source)
    return Opening(str(source), digest_of(opened), opened.limits, engine="torch")


@pytest.fixture
def predicting(pretrained: Path) -> Predicting:
    return Predicting(opening_of(pretrained), top=3)


@pytest.fixture
def predictor(predicting: Predicting) -> Predictor:
    return predicting.opening.open()


def files_in(folder: Path) -> list[str]:
    return sorted(map(str, folder.rglob("*.png")))


@dataclass(frozen=True)
class Stopped(Predicting):
    """Raises instead of answering a second part."""

    def answer_with(self, predictor: Predictor) -> Answer:
        answer, num_asked = super().answer_with(predictor), iter(range(100))

        def stop(paths: Sequence[str]) -> Any:
            if next(num_asked) == 1:
                raise KeyboardInterrupt
            return answer(paths)

        return stop


def test_rows_are_those_of_predict_each_once_also_after_a_stop(
    folder: Path, tmp_path: Path, predicting: Predicting, predictor: Predictor
) -> None:
    files, out = files_in(folder), tmp_path / "rows.parquet"
    with pytest.raises(KeyboardInterrupt), opened_rows(out, predicting) as rows:
        answer_missing(rows, Stopped(predicting.opening, predicting.top), files[:-10], predictor)
    assert pq.read_table(out).num_rows == 64
    (out / ".part-000001.parquet.0123456789abcdef").write_bytes(b"half")
    for num_missing in (len(files) - 64, 0):
        with opened_rows(out, predicting) as rows:
            assert len(rows.missing([*files, files[0]])) == num_missing
            answer_missing(rows, predicting, [*files, files[0]], predictor)
    # What is broken was asked again, and has a part of its own.
    assert sorted(path.name for path in out.iterdir()) == [
        "_manifest.json",
        *(f"part-{n:06}.parquet" for n in range(6)),
    ]
    found = {row["path"]: row for row in pq.read_table(out).to_pylist()}
    assert len(found) == pq.read_table(out).num_rows == len(files)
    for prediction in open_predictor(predicting.opening.source, engine="torch").predict(files, top=3):
        row = found[prediction.source]
        assert (row["status"], row["reason"]) == (prediction.status, prediction.reason)
        assert row["top_classes"] == [name for name, _ in prediction.top]
        np.testing.assert_allclose(row["top_probabilities"], [share for _, share in prediction.top], atol=1e-6)
    assert [path for path, row in found.items() if row["status"] == "error"] == [f"{folder}/{BROKEN}"]


def test_rows_of_another_kind_are_not_mixed_in(
    folder: Path, tmp_path: Path, predicting: Predicting, predictor: Predictor
) -> None:
    with opened_rows(tmp_path / "rows", predicting) as rows:
        answer_missing(rows, predicting, files_in(folder)[:2], predictor)
        with pytest.raises(ResnetkitError, match="another process"), opened_rows(tmp_path / "rows", predicting):
            pass
    with (
        pytest.raises(ResnetkitError, match=r"they differ in top\n  why: top was 3 and is 2 now"),
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


def test_a_second_start_leaves_what_the_first_is_writing(tmp_path: Path, predicting: Predicting) -> None:
    half = tmp_path / "rows" / ".part-000000.parquet.0123456789abcdef"
    with opened_rows(tmp_path / "rows", predicting):
        half.write_bytes(b"half")
        with pytest.raises(ResnetkitError, match="another process"), opened_rows(tmp_path / "rows", predicting):
            pass
        assert half.exists()
    with opened_rows(tmp_path / "rows", predicting):
        assert not half.exists()


def test_a_folder_that_was_hardly_begun_is_gone_on_with(tmp_path: Path, predicting: Predicting) -> None:
    out = tmp_path / "rows"
    out.mkdir()
    (out / "._manifest.json.0123456789abcdef").write_bytes(b"{")
    with opened_rows(out, predicting):
        assert [path.name for path in out.iterdir()] == ["_manifest.json"]
    (out / "_manifest.json").write_bytes(b"{")
    with pytest.raises(ResnetkitError, match=r"_manifest.json is damaged"), opened_rows(out, predicting):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(ResnetkitError, match="is a file"), opened_rows(tmp_path / "file", predicting):
        pass


def test_a_folder_of_rows_is_not_called_like_a_file_of_another_format(tmp_path: Path, predicting: Predicting) -> None:
    refused = pytest.raises(ResnetkitError, match=r"called like a file of csv.*\n.*answers\.parquet.*predict.*evaluate")
    with refused, opened_rows(tmp_path / "answers.CSV", predicting):
        pass
    assert not list(tmp_path.iterdir())


def test_rows_hold_as_long_as_their_files_do(
    folder: Path, tmp_path: Path, predicting: Predicting, predictor: Predictor
) -> None:
    """What has changed is answered anew, and what could not be read, for that may not be the file's fault."""
    one, other, gone = (str(tmp_path / name) for name in ("one.png", "other.png", "gone.png"))
    digits = [*(folder / "1").iterdir()][:1] + [*(folder / "7").iterdir()][:1]
    Path(one).write_bytes(digits[0].read_bytes())
    Path(other).write_bytes(digits[0].read_bytes())
    asked: list[list[str]] = []

    def rows_now() -> dict[str, dict[str, Any]]:
        with opened_rows(tmp_path / "rows", predicting) as rows:
            rows.forget_outdated([one, other, gone])
            asked.append(rows.missing([one, other, gone]))
            answer_missing(rows, predicting, [one, other, gone], predictor)
        found = pq.read_table(tmp_path / "rows").to_pylist()
        assert len(found) == 3
        return {row["path"]: row for row in found}

    first = rows_now()
    assert (first[gone]["status"], first[gone]["reason"]) == ("error", "does not exist")
    changed = digits[1].read_bytes()
    Path(one).write_bytes(changed)
    os.utime(one, (0, 0))  # as a program that unpacks files does
    Path(gone).write_bytes(changed)
    second = rows_now()
    assert second[other] == first[other]
    assert second[gone]["status"] == "ok"
    assert second[one]["top_probabilities"] == second[gone]["top_probabilities"] != first[one]["top_probabilities"]
    assert rows_now() == second
    assert asked == [[one, other, gone], [one, gone], []]


def test_no_rows_of_a_classifier_that_was_replaced_meanwhile(folder: Path, tmp_path: Path, pretrained: Path) -> None:
    file = tmp_path / "classifier.safetensors"
    file.write_bytes((pretrained / FILE_NAME).read_bytes())
    work = Predicting(opening_of(file), top=1)
    predictor = work.opening.open()
    load_classifier(pretrained).save(file)
    answer = work.answer_with(predictor)
    assert answer(files_in(folder)[:1]).num_rows == 1, "the same content"
    classifier = load_classifier(pretrained)
    replace(classifier, provenance={"of": "another"}).save(file)
    with pytest.raises(ResnetkitError, match="has changed since these rows were begun"):
        work.answer_with(work.opening.open())(files_in(folder)[:1])


def test_a_path_that_comes_twice_moves_no_row(folder: Path, pretrained: Path) -> None:
    work = Scoring(opening_of(pretrained), str(folder))
    answer = work.answer_with(work.opening.open())
    paths = [os.path.relpath(path, folder) for path in files_in(folder)[:6]]
    tables = [answer(paths[:3]), answer([paths[1]]), answer(paths[3:])]
    expected = rows_of([answer(paths)], paths, 10)
    found = rows_of(tables, [paths[4], paths[1], paths[4], paths[5]], 10)
    np.testing.assert_array_equal(found.digests, expected.digests[[4, 1, 4, 5]])
    np.testing.assert_allclose(found.probabilities, expected.probabilities[[4, 1, 4, 5]], atol=1e-6)


def test_rows_are_put_together_in_the_memory_that_they_need() -> None:
    num_parts, num_rows, num_classes = 40, 256, 500
    zeros = np.zeros(num_rows)

    def tables() -> Iterator[Any]:
        for part in range(num_parts):
            yield row_folder.make_table(
                {
                    "path": [f"{part}/{row}" for row in range(num_rows)],
                    "reason": [""] * num_rows,
                    "sha256": [bytes(32)] * num_rows,
                    "digest": zeros.astype(np.uint64),
                    "aspect_ratio": zeros.astype(np.float32),
                    "probabilities": list(np.full((num_rows, num_classes), part, np.float32)),
                }
            )

    paths = [f"{part}/{row}" for part in range(num_parts) for row in range(num_rows)]
    tracemalloc.start()
    images, _ = rows_of(tables(), paths, num_classes).as_loaded()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    answers = given_answers(images)
    assert answers is not None
    assert answers.probabilities[:, 0].tolist() == [part for part in range(num_parts) for _ in range(num_rows)]
    assert np.isnan(answers.familiarity).all(), "as of an earlier version, whose rows have none"
    assert most < 1.5 * answers.probabilities.nbytes


def scored(folder: Path, pretrained: Path, out: Path, address: str | None = None) -> Evaluation:
    data = DataSpec(str(folder), validation_fraction=0, test_fraction=0, on_bad_image="skip", cache="off")
    work = Scoring(opening_of(pretrained), str(folder))
    with opened_rows(out, work) as rows:
        predictor = work.opening.open()
        return evaluate(predictor, data, examine=examine_into(rows, work, predictor, address))


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
    monkeypatch.setattr(
        many_images, "in_parts", lambda missing: [missing] if len(missing) == 1 else pytest.fail("asked again")
    )
    assert_same(scored(folder, pretrained, tmp_path / "rows"), expected)


def test_named_data_keep_no_rows(tmp_path: Path, pretrained: Path) -> None:
    data = DataSpec("digits")
    work = Scoring(opening_of(pretrained), str(tmp_path))
    predictor = work.opening.open()
    with opened_rows(tmp_path / "rows", work) as rows, pytest.raises(ResnetkitError, match="image folders"):
        evaluate(predictor, data, examine=examine_into(rows, work, predictor, None))


@dataclass(frozen=True)
class Dying(Predicting):
    """Ends its process with a part in hand, once."""

    marker: str = ""

    def answer_with(self, predictor: Predictor) -> Answer:
        answer = super().answer_with(predictor)

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
    folder: Path, tmp_path: Path, predicting: Predicting, predictor: Predictor, cluster: str
) -> None:
    files, marker = files_in(folder), tmp_path / "die"
    marker.touch()
    dying = Dying(predicting.opening, predicting.top, str(marker))
    with opened_rows(tmp_path / "rows", predicting) as rows:
        answer_missing(rows, dying, files, cluster)
    assert not marker.exists(), "a worker was killed"
    with opened_rows(tmp_path / "alone", predicting) as rows:
        answer_missing(rows, predicting, files, predictor)
    tables = [pq.read_table(tmp_path / name).sort_by("path").to_pylist() for name in ("rows", "alone")]
    for row, other in zip(*tables, strict=True):
        np.testing.assert_allclose(row.pop("top_probabilities"), other.pop("top_probabilities"), atol=1e-6)
        assert row.pop("probability") == pytest.approx(other.pop("probability"), abs=1e-6)
        assert row == other
