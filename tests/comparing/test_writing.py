"""A comparison as a folder: a page that requests nothing, tables of all images, nothing overwritten."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.html_page import HOSTILE, Page

from resnetkit.comparing.answers import compare_answers
from resnetkit.comparing.anything import Comparison, compare
from resnetkit.comparing.page import comparison_page
from resnetkit.comparing.sides import Side
from resnetkit.comparing.subject import find_subject
from resnetkit.comparing.writing import IMAGES_NAME, PAGE_NAME, RUNS_NAME, write_comparison
from resnetkit.errors import ResnetkitError
from resnetkit.evaluation.answers import Answers
from resnetkit.runs.answer_files import save_answers
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.repeats import Repeats, write_repeats
from resnetkit.training.run import train


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Runs of three seeds, trained for too short to be good."""
    parent = tmp_path_factory.mktemp("repeats")
    settings: dict[str, Any] = {"model.depths": [1, 1, 1], "epochs": 2, "runtime.threads": 1}
    folders = [train("digits", model="resnet20_b", settings=settings | {"seed": i}, out=parent).run for i in range(3)]
    write_repeats(parent, Repeats(by="seeds", runs=tuple(folder.name for folder in folders)))
    return folders


def write(out: Path, *sources: Path) -> tuple[Comparison, list[str]]:
    subjects = [find_subject(source) for source in sources]
    compared = compare(*subjects)
    return compared, write_comparison(out, compared, subjects)


def test_two_runs_have_a_page_with_pictures_and_a_table_of_all_images(runs: list[Path], tmp_path: Path) -> None:
    compared, missing = write(tmp_path / "out", *runs[:2])
    assert compared.answers is not None
    (pair,) = compared.answers.pairs
    assert missing == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [PAGE_NAME, IMAGES_NAME]
    html = (tmp_path / "out" / PAGE_NAME).read_text()
    page = Page(html)
    assert not page.open
    assert page.sections == ["result", "scores", "differences", "classes", "images", "recipe", "reading"]
    assert pair.verdict in page.text
    assert page.all("img")
    assert {image["src"].split(",")[0] for image in page.all("img")} == {"data:image/png;base64"}
    assert "no picture" not in page.text
    assert not page.all("script")
    rows = list(csv.DictReader((tmp_path / "out" / IMAGES_NAME).open(newline="")))
    assert len(rows) == pair.top1.num_lost + pair.top1.num_won == len(pair.only_one) > 0
    answers = [RunFolder(run).read_answers()["test"] for run in runs[:2]]
    for row in rows:
        place = list(answers[0].identifiers).index(row["image"])
        for run, own in zip(runs, answers, strict=False):
            assert row[f"{run} class"] == own.class_names[own.predicted[place]]
            assert row[f"{run} correct"] == ("yes" if own.is_right[place] else "no")


def test_nothing_is_overwritten_and_nothing_half_written(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").touch()
    with pytest.raises(ResnetkitError, match="there already"):
        write(tmp_path / "mine", *runs[:2])
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes"]
    subjects = [find_subject("resnet20"), find_subject("resnet32")]
    with pytest.raises(ResnetkitError, match="nothing to write"):
        write_comparison(tmp_path / "none", compare(*subjects), subjects)
    assert not (tmp_path / "none").exists()


def test_files_of_answers_are_compared_as_runs_are_and_with_runs(runs: list[Path], tmp_path: Path) -> None:
    files = []
    for run in runs[:2]:
        files.append(tmp_path / f"{run.name}.npz")
        save_answers(files[-1], RunFolder(run).read_answers().values())
    of_runs, of_files, mixed = compare(*runs[:2]), compare(*files), compare(runs[0], files[1])
    assert of_runs.answers and of_files.answers and mixed.answers  # noqa: PT018 - all three are there
    assert of_files.answers.pairs[0].top1 == of_runs.answers.pairs[0].top1 == mixed.answers.pairs[0].top1
    assert (of_files.networks, of_files.runs) == (None, None)
    _, missing = write(tmp_path / "out", *files)
    assert "is no run" in missing[0]
    assert "no picture" in Page((tmp_path / "out" / PAGE_NAME).read_text()).text
    write(tmp_path / "mixed", files[0], runs[1])
    assert "no picture" not in Page((tmp_path / "mixed" / PAGE_NAME).read_text()).text


def test_several_runs_each_with_each(runs: list[Path], tmp_path: Path) -> None:
    compared, _ = write(tmp_path / "out", *runs)
    assert compared.answers is not None
    assert len(compared.answers.pairs) == 3
    page = Page((tmp_path / "out" / PAGE_NAME).read_text())
    assert page.sections == ["result", "scores", "reading"]
    assert "corrected for 3 comparisons" in page.text
    rows = list(csv.reader((tmp_path / "out" / IMAGES_NAME).open(newline="")))
    assert len(rows[0]) == 2 + 3 * 3
    with pytest.raises(ResnetkitError, match="more than one other"):
        compare(*runs[:2], "resnet20")


def test_seeds_are_compared_over_runs(runs: list[Path], tmp_path: Path) -> None:
    parent = runs[0].parent
    other = tmp_path / "other"
    for run in runs:
        shutil.copytree(run, other / run.name)
        record = json.loads((other / run.name / "recipe.json").read_text())
        record["recipe"]["seed"] += 10
        (other / run.name / "recipe.json").write_text(json.dumps(record))
    write_repeats(other, Repeats(by="seeds", runs=(*(run.name for run in runs), "0009-to-come")))
    compared, _ = write(tmp_path / "out", parent, other)
    assert compared.repeats is not None
    assert (compared.repeats.difference.value, compared.repeats.difference.method) == (0, "Welch's t")
    assert compared.repeats.a.top1 == tuple(
        float(RunFolder(run).read_answers()["test"].is_right.mean()) for run in runs
    )
    assert any("1 of the 4 runs" in note for note in compared.repeats.notes)
    assert any("3/5/10 seeds a side tell" in note for note in compared.repeats.notes)
    page = Page((tmp_path / "out" / PAGE_NAME).read_text())
    assert page.sections == ["result", "scores", "recipe", "reading"]
    assert compared.repeats.verdict in page.text
    assert len(list(csv.reader((tmp_path / "out" / RUNS_NAME).open(newline="")))) == 1 + 6
    single = compare(parent, other / runs[0].name).repeats
    assert single is not None
    assert single.difference.method == "one run beside several"
    for own in (parent, runs[1], runs[1] / ".." / runs[1].name):
        assert "on both sides" in compare(parent, own).unanswered
    write_repeats(other, Repeats(by="folds", runs=tuple(run.name for run in runs)))
    assert "not both over folds" in compare(parent, other).unanswered
    shutil.copytree(other, tmp_path / "folds")
    folds = compare(other, tmp_path / "folds").repeats
    assert folds is not None
    assert (folds.by, folds.difference.method) == ("folds", "paired t")


def test_what_one_run_came_to_is_not_told_of_its_folder(runs: list[Path], tmp_path: Path) -> None:
    shutil.copytree(runs[1], tmp_path / "run")
    compared = compare(runs[0].parent, tmp_path / "run")
    assert compared.runs is not None
    assert compared.repeats is not None
    assert (compared.classifiers, compared.runs.scores, compared.runs.seconds) == (None, {}, None)
    assert any(f"are told of its first run, {runs[0]}" in note for note in compared.repeats.notes)


def test_a_folder_of_repeats_is_compared_with_a_file_too(runs: list[Path], tmp_path: Path) -> None:
    file = tmp_path / "answers.npz"
    save_answers(file, RunFolder(runs[0]).read_answers().values())
    compared = compare(runs[0].parent, file)
    assert compared.repeats is not None
    assert compared.repeats.b.runs == (str(file),)


def test_runs_without_answers_say_so_and_keep_the_rest(runs: list[Path], tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(runs[0], old)
    (old / "answers.npz").unlink()
    compared = compare(runs[1], old)
    assert compared.answers is None
    assert "no answers at" in compared.unanswered
    assert compared.runs is not None
    assert "test" in compared.runs.scores
    assert "No verdict: no answers at" in Page(compared._repr_html_()).text


def hostile_comparison() -> Comparison:
    labels = np.array([0, 1], np.int64)
    sides = []
    for name, predicted in (("A", [0, 0]), ("B", [1, 1])):
        probabilities = np.eye(2, dtype=np.float32)[predicted]
        names = (HOSTILE, f"{HOSTILE}2")
        digests, old = np.array([1, 2], np.uint64), np.zeros(2, np.bool_)
        answers = Answers("val", names, [f"{HOSTILE}\x1b.png"] * 2, digests, labels, old, probabilities)
        sides.append(Side(f"{name} {HOSTILE}", answers, True))
    return Comparison(tuple(side.name for side in sides), answers=compare_answers(sides))


def test_names_stay_names() -> None:
    pixels = np.zeros((1, 8, 8), np.uint8)
    html = comparison_page(hostile_comparison(), {0: pixels, 1: pixels}, HOSTILE)
    page = Page(html)
    assert not page.open
    assert not page.all("script")
    assert len(page.all("img")) == 2
    assert HOSTILE in page.text
    assert "\x1b" not in html
    assert not [attributes for _, attributes in page.elements if any(name.startswith("on") for name in attributes)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="looking at the page takes playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("looking at the page takes a browser: chromium was not found")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("kind", ["two", "three", "seeds"])
def test_it_fits_and_axe_finds_nothing(
    browser: Any, runs: list[Path], tmp_path: Path, kind: str, width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="it is axe that looks").Axe()
    sources: Callable[[], list[Path]] = {
        "two": lambda: runs[:2],
        "three": lambda: runs,
        "seeds": lambda: [runs[0].parent, shutil.copytree(runs[0], tmp_path / "run")],
    }[kind]
    write(tmp_path / "out", *sources())
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True, offline=True
    )
    page, errors, asked = context.new_page(), [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "out" / PAGE_NAME).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    violations = axe.run(page).response["violations"]
    context.close()
    assert [(one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in violations] == []
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
