"""The page in front of the server itself: what it shows is what the classifier answers."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.serving.page.conftest import Site

from resnetkit.runs.answer_files import read_answers
from resnetkit.runs.folder import RunFolder

pytestmark = pytest.mark.slow
Open = Callable[..., Site]

TOKEN = "a token"


@dataclass
class RealServer:
    """The server in a process of its own, as far as the page's tests need to know it."""

    origin: str


@pytest.fixture(scope="module")
def server(pretrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "tokens").write_text(TOKEN)
    command = [sys.executable, "-m", "resnetkit", "serve", f"digits={pretrained}", "--engine", "torch", "--port", "0"]
    with subprocess.Popen(
        [*command, "--json", "--token-file", str(folder / "tokens")],
        stdout=subprocess.PIPE,
        stderr=(folder / "log").open("w"),
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "log").read_text()
        yield RealServer(json.loads(line)["url"])
        process.terminate()
        assert process.wait(30) == 0


@pytest.fixture
def fake(server: RealServer) -> RealServer:
    """The real one, in the place of the fake."""
    return server


@pytest.fixture
def site(open_site: Open) -> Site:
    """The page, let in with a token."""
    site = open_site(view="")
    site.expected = {401}
    site.page.goto(site.fake.origin)
    site.page.get_by_role("textbox", name="Token").fill(TOKEN)
    site.page.keyboard.press("Enter")
    site.page.wait_for_selector(".drop")
    site.expected = set()
    return site


@pytest.fixture
def digits(tmp_path: Path) -> list[str]:
    """Images that mean something to the classifier, and a file that is none."""
    paths = []
    for number in range(3):
        path = tmp_path / f"{number}.png"
        Image.linear_gradient("L").rotate(90 * number).resize((8, 8)).save(path)
        paths.append(str(path))
    (tmp_path / "no image.png").write_bytes(b"nothing")
    return [*paths, str(tmp_path / "no image.png")]


def predicted(run: Path, paths: list[str]) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "resnetkit", "predict", str(run), *paths, "--format", "jsonl", "--engine", "torch"]
    done = subprocess.run(command, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def shares(row: dict[str, Any]) -> dict[str, float]:
    return {one["class"]: one["probability"] for one in row["top"]}


def test_answers_are_those_of_predict_one_by_one_and_in_a_batch(
    site: Site, pretrained: Path, digits: list[str]
) -> None:
    wanted = predicted(pretrained, digits)
    assert [row["status"] for row in wanted] == ["ok", "ok", "ok", "error"]
    site.expected = {422}
    site.pick(*digits)
    site.page.locator(".verdict").nth(2).wait_for()
    site.page.wait_for_selector(".note.failure")
    shown = site.texts(".verdict")
    assert shown == [f"{row['class']} {100 * row['probability']:.1f} %" for row in wanted[:3]]
    site.page.get_by_role("link", name="Batch").click()
    site.page.wait_for_selector(".view.batch #pick", state="attached")
    site.pick(*digits)
    site.page.get_by_role("button", name="Start").click()
    site.page.wait_for_selector(".batch-table .wrong")
    with site.page.expect_download() as found:
        site.page.get_by_role("button", name="JSON", exact=True).click()
    found.value.save_as(site.folder / "answers.json")
    rows = json.loads((site.folder / "answers.json").read_text())["rows"]
    assert [row["path"] for row in rows] == [Path(path).name for path in digits]
    for row, alone in zip(rows, wanted, strict=True):
        assert (row["status"], row["reason"], row["class"]) == (alone["status"], alone["reason"], alone["class"])
        assert shares(row) == pytest.approx(shares(alone), abs=1e-6)  # computed together, they differ in the last bits


def test_model_and_results_are_those_of_the_run(site: Site, pretrained: Path) -> None:
    site.page.get_by_role("link", name="Model").click()
    site.until("document.querySelector('img.network')?.naturalWidth > 0")
    assert "resnet20_b" in site.text(".view.model")
    answers = read_answers(RunFolder(pretrained).answers_file)["test"]
    top1 = (answers.predicted == answers.labels).mean()
    assert f"{100 * top1:.2f} %" in site.text(".measures")
    site.page.get_by_role("link", name="Results").click()
    site.page.wait_for_selector(".matrix button")
    assert site.text(".headline strong") == f"{100 * top1:.2f} %"
    site.page.locator(".pairs button").first.click()
    site.page.locator(".opened img").first.wait_for()


def test_every_example_of_the_api_is_answered_by_the_server(site: Site, digits: list[str]) -> None:
    site.pick(digits[0])
    site.page.wait_for_selector(".verdict")
    site.page.get_by_role("link", name="API").click()
    site.page.wait_for_selector(".example")
    examples = site.page.locator(".example")
    for i in range(examples.count()):
        examples.nth(i).locator(".head > button").first.click()
        examples.nth(i).locator(".answered pre").wait_for()
        assert "200 OK" in examples.nth(i).inner_text()


def test_an_explanation_of_the_server_is_laid_over_the_image(site: Site, digits: list[str]) -> None:
    site.pick(digits[0])
    site.page.get_by_role("button", name="Why?").click()
    site.page.wait_for_selector(".told .question")
    site.until("document.querySelector('.map')?.naturalWidth > 0")
    for method in site.page.get_by_label("Method").locator("option").all():
        site.page.get_by_label("Method").select_option(method.get_attribute("value"))
        site.page.wait_for_selector(".told .question")
