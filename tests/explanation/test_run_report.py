"""A report drawn anew: the same as at the run's end, and as much as is left of runs that lack something."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.html_page import Page
from tests.small_runs import TINY_SETTINGS

from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.explanation.run_report import draw_report
from resnetkit.runs.folder import RunFolder
from resnetkit.training.run import train

Copy = Callable[[], RunFolder]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny images of two classes that are not easily told apart."""
    root, rng = tmp_path_factory.mktemp("data") / "photos", np.random.default_rng(0)
    for level, name in enumerate(("dark", "light")):
        (root / name).mkdir(parents=True)
        for number in range(24):
            pixels = rng.integers(4 * level, 4 * level + 200, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def finished(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = TINY_SETTINGS | {"epochs": 2, "batch_size": 8, "schedule.warmup_share": 0}
    return train(DataSpec(str(photos)), model="resnet20_b", settings=settings, out=tmp_path_factory.mktemp("runs")).run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> RunFolder:
    """A copy of a finished run, to be tampered with."""
    return RunFolder(Path(shutil.copytree(finished, tmp_path / finished.name)))


def num_pictures(page: str) -> int:
    """Number of small pictures on the page, which are all of one format."""
    return page.split('"picture":')[1].split("]")[0].count('"UklGR')


def test_it_is_the_page_that_the_run_wrote(run: RunFolder) -> None:
    before = run.report_file.read_text()
    run.report_file.unlink()
    drawn = draw_report(run.path)
    assert drawn == (run.report_file, ())
    assert run.report_file.read_text() == before
    assert "data:image" in before
    assert {"images", "thresholds", "mistakes"} <= set(Page(before).sections)
    assert num_pictures(before) == len(run.read_answers()["test"])


def test_images_that_have_changed_are_not_shown(run: RunFolder, photos: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(photos, moved)
    run.remember_place(run.read_record().recipe, str(moved))
    identifiers = run.read_answers()["test"].identifiers
    first = Image.open(moved / identifiers[0]).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    first.save(moved / identifiers[0])
    drawn = draw_report(run.path, tmp_path / "new.html")
    assert drawn.notes == (f"1 of {len(identifiers)} images are not shown: they are no longer in {moved}",)
    page = drawn.path.read_text()
    assert drawn.notes[0] in Page(page).text
    assert num_pictures(page) == len(identifiers) - 1
    assert f'"root":"{moved}"' in page, "paths are those of where the images are now"


def test_without_the_data_it_lists_the_images_without_pictures(run: RunFolder, tmp_path: Path) -> None:
    run.remember_place(run.read_record().recipe, str(tmp_path / "gone"))
    (note,) = draw_report(run.path).notes
    assert note.startswith("the report shows no images:")
    page = Page(run.report_file.read_text())
    assert note in page.text
    assert "images" in page.sections
    assert "mistakes" not in page.sections
    assert not page.all("img")


def test_a_run_of_an_earlier_version_has_the_rest_of_the_page(run: RunFolder) -> None:
    run.answers_file.unlink()
    (note,) = draw_report(run.path).notes
    assert note.startswith("the report tells nothing image by image: no answers at")
    page = Page(run.report_file.read_text())
    assert {"result", "curves", "confusion", "classes"} <= set(page.sections)
    assert not {"images", "thresholds", "mistakes"} & set(page.sections)


def test_a_run_that_has_not_finished_has_its_curves(run: RunFolder) -> None:
    kept = [line for line in run.metrics_file.read_text().splitlines(keepends=True) if '"end"' not in line]
    run.metrics_file.write_text("".join(kept))
    for file in (run.answers_file, run.classifier_file):
        file.unlink()
    assert draw_report(run.path).notes == ()
    page = Page(run.report_file.read_text())
    assert "Not finished" in page.text
    assert {"curves", "network", "recipe", "repeat"} <= set(page.sections)


def test_what_is_there_is_not_overwritten_and_what_is_no_run_is_refused(run: RunFolder, tmp_path: Path) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    with pytest.raises(ResnetkitError, match="is there already"):
        draw_report(run.path, mine)
    assert mine.read_text() == "mine"
    with pytest.raises(ResnetkitError, match="is no run folder"):
        draw_report(tmp_path)


def test_a_picture_that_fails_ends_nothing(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resnetkit.explanation.exhibits.draw_pictures", lambda *_: 1 / 0)
    (note,) = draw_report(run.path).notes
    assert note == "the report shows no images: ZeroDivisionError: division by zero"
    assert "images" in Page(run.report_file.read_text()).sections
