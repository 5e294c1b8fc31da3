"""The lessons are true: each command prints what the page shows, in every language the same commands stand.

``make lessons`` writes the pages anew.
"""

import re
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from tests.documents import GAP, Example, find_examples, form, run
from tests.lessons import LESSONS, given, pages

from resnetkit.models.resnet import create_model

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


FLOWERS = ["daisy", "dandelion", "roses", "sunflowers", "tulips"]
NUM_PHOTOS = {"train": 4, "val": 2}


@pytest.fixture
def few_photos(empty_folder: Path) -> None:
    """What lesson 8 begins from: photographs, of noise, with the names it uses, and weights, of no training."""
    examples = [example for lesson in PAGES for example in find_examples(lesson[0].read_text())]
    named = {word for example in examples for word in example.words if word.startswith("photos/")}
    numbered = {
        f"photos/{split}/{flower}/{i}.jpg" for split, n in NUM_PHOTOS.items() for flower in FLOWERS for i in range(n)
    }
    generator = np.random.default_rng(0)
    for path in map(Path, sorted(named | numbered)):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (150, 200, 3), np.uint8)).save(path)
    shutil.copy("photos/train/roses/0.jpg", "photos/train/tulips/0.jpg")
    halves = {
        name: tensor.half() if tensor.ndim > 1 else tensor
        for name, tensor in create_model("resnet50_v1").state_dict().items()
        if "num_batches_tracked" not in name
    }
    save_file(halves, "imagenet.safetensors")


def check(examples: list[Example]) -> None:
    for example in examples:
        code, printed = run(example.words)
        assert code == 0, (example.command, printed)
        shown = example.shown(printed)
        if "starts" in example.marks:
            starts, expected = (
                # Without gaps: how many lines tell of progress depends on the machine.
                [form(line).split()[:1] for line in text.splitlines() if line != GAP]
                for text in (shown, example.output)
            )
            assert starts == expected, example.command
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
def test_commands_that_train_print_what_has_the_form_of_what_the_page_shows(
    lesson: Path, request: pytest.FixtureRequest
) -> None:
    examples = [example for example in find_examples(lesson.read_text()) if "slow" in example.marks]
    if given(examples):
        request.getfixturevalue("few_photos")
    check(examples)


def test_only_what_a_page_says_is_needed_to_write_it() -> None:
    needed = {lesson[0].name: given(find_examples(lesson[0].read_text())) for lesson in PAGES}
    assert {name: files for name, files in needed.items() if files} == {
        "8-your-own-photos.md": ["photos", "imagenet.safetensors"]
    }


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
