"""The lessons are true: each command prints what the page shows, in every language the same commands stand.

``make lessons`` writes the pages anew.
"""

import re
import struct
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from tests.documents import Example, find_examples, form, run
from tests.lessons import LESSONS, pages

PAGES = pages()
NUM_STAND_INS = {"train": 640, "t10k": 320}


def write_idx(path: Path, values: np.ndarray) -> None:
    path.write_bytes(
        b"\0\0\x08" + bytes([values.ndim]) + struct.pack(f">{values.ndim}i", *values.shape) + values.tobytes()
    )


@pytest.fixture
def small_fashion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of Fashion-MNIST's name and files, of few images: stripes whose width is their class."""
    folder = tmp_path / "data" / "fashion_mnist"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for part, count in NUM_STAND_INS.items():
        labels = np.arange(count, dtype=np.uint8) % 10
        stripes = np.arange(28) // (labels[:, None] + 1) % 2 * 200
        images = stripes[:, None, :] + generator.integers(0, 56, (count, 28, 28))
        write_idx(folder / f"{part}-images-idx3-ubyte", images.astype(np.uint8))
        write_idx(folder / f"{part}-labels-idx1-ubyte", labels)
    monkeypatch.setenv("RESNETKIT_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("resnetkit.data.dataset_files._matches", lambda content, digest: True)


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The digits inside scikit-learn, but for most of them."""
    pixels, labels = load_digits(return_X_y=True)
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda **_: (pixels[:150], labels[:150]))


def check(examples: list[Example]) -> None:
    for example in examples:
        code, printed = run(example.words)
        assert code == 0, (example.command, printed)
        shown = example.shown(printed)
        if "starts" in example.marks:
            assert [line.split()[:1] for line in shown.splitlines()] == [
                line.split()[:1] for line in example.output.splitlines()
            ], example.command
        elif "slow" in example.marks:
            assert form(shown) == form(example.output), example.command
        else:
            assert shown == example.output, example.command


def test_there_are_lessons() -> None:
    assert len(PAGES) >= 1


@pytest.mark.parametrize("lesson", [pytest.param(lesson[0], id=lesson[0].stem) for lesson in PAGES])
@pytest.mark.usefixtures("empty_folder")
def test_commands_print_what_the_page_shows(lesson: Path) -> None:
    check([example for example in find_examples(lesson.read_text()) if "slow" not in example.marks])


@pytest.mark.slow
@pytest.mark.parametrize(
    "lesson", [pytest.param(lesson[0], id=lesson[0].stem) for lesson in PAGES if "<!-- slow" in lesson[0].read_text()]
)
@pytest.mark.usefixtures("empty_folder", "small_fashion", "few_digits")
def test_commands_that_train_print_what_has_the_form_of_what_the_page_shows(lesson: Path) -> None:
    check([example for example in find_examples(lesson.read_text()) if "slow" in example.marks])


@pytest.mark.parametrize("lesson", [pytest.param(lesson, id=lesson[0].stem) for lesson in PAGES])
def test_languages_have_the_same_commands_and_outputs(lesson: list[Path]) -> None:
    english, *others = (find_examples(page.read_text()) for page in lesson)
    for other in others:
        assert other == english


def test_every_other_language_has_pages_of_the_same_names() -> None:
    known = {lesson[0].name for lesson in PAGES}
    assert {page.name for page in LESSONS.glob("*/[0-9]*.md")} <= known


@pytest.mark.parametrize("lesson", [pytest.param(lesson, id=lesson[0].stem) for lesson in PAGES])
def test_pictures_are_there_and_drawn_by_a_command(lesson: list[Path]) -> None:
    for page in lesson:
        text = page.read_text()
        shown = {(page.parent / target).resolve() for target in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)}
        drawn = {(LESSONS / path).resolve() for path in re.findall(r"--svg (\S+)", text)}
        assert shown == drawn
        assert all(picture.is_file() for picture in shown)


def test_pictures_are_small() -> None:
    assert sum(picture.stat().st_size for picture in (LESSONS / "pictures").glob("*")) < 200_000


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for lesson in PAGES for page in lesson])
def test_each_lesson_has_two_exercises_with_answers(page: Path) -> None:
    text = page.read_text()
    assert text.count("<details>") == text.count("</details>") == 2
