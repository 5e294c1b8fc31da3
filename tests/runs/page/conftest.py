"""A report in a browser; a test fails where the page complains, or asks anybody for anything."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from resnetkit.runs.report import Report, write_report

TIMEOUT_MS = 60_000  # of a machine that does much else beside


@dataclass
class Opened:
    """A report in a browser.

    Attributes:
        troubles: what must not happen: errors on the console, exceptions, dialogs, requests.
    """

    page: Any
    file: Path
    troubles: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", lambda message: self.troubles.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.troubles.append(f"exception: {error}"))
        self.page.on("dialog", lambda dialog: (self.troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("request", self.check)

    def check(self, request: Any) -> None:
        if not request.url.startswith((self.file.as_uri(), "data:", "blob:")):
            self.troubles.append(f"request to {request.url}")

    def text(self, selector: str) -> str:
        words: str = self.page.locator(selector).first.inner_text()
        return " ".join(words.split())

    def texts(self, selector: str) -> list[str]:
        return [" ".join(words.split()) for words in self.page.locator(selector).all_inner_texts()]

    def click(self, selector: str) -> None:
        self.page.locator(selector).first.click()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def until(self, script: str) -> None:
        """Wait until an expression is true in the page, whose policy lets no text be run there."""
        end = time.monotonic() + TIMEOUT_MS / 1000
        while not self.page.evaluate(script):
            assert time.monotonic() < end, f"never true: {script}"
            self.page.wait_for_timeout(30)

    def copied(self) -> list[str]:
        """Press the button that copies, and give what it has copied, line by line."""
        self.click("#copy-paths")
        self.until("document.getElementById('table-said').textContent")
        text: str = self.page.evaluate("navigator.clipboard.readText()")
        return text.split("\n")

    def focused(self) -> str:
        words: str = self.page.evaluate(
            "document.activeElement.getAttribute('aria-label') ?? document.activeElement.id"
        )
        return words


Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="looking at the page takes playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("looking at the page takes a browser: chromium was not found")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()


@pytest.fixture
def open_report(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens the page of a report in a context of its own, with settings of Playwright's for it."""
    opened: list[Opened] = []

    def open_report(report: Report, **settings: Any) -> Opened:
        file = tmp_path / f"report-{len(opened)}.html"
        write_report(file, report)
        usual = {"viewport": {"width": 1280, "height": 900}, "permissions": ["clipboard-read", "clipboard-write"]}
        context = browser.new_context(**{**usual, **settings})
        context.set_default_timeout(TIMEOUT_MS)
        one = Opened(context.new_page(), file)
        one.watch()
        opened.append(one)
        one.page.goto(file.as_uri())
        return one

    yield open_report
    troubles = [trouble for one in opened for trouble in one.troubles]
    for one in opened:
        one.page.context.close()
    assert not troubles
