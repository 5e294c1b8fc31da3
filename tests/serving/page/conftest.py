"""A browser with the page of a fake server in it; a test fails where the page complains, or asks anybody else."""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.serving.page.fake_server import FakeServer, png, running, usual_models

CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
TIMEOUT_MS = 60_000  # of a machine that does much else beside


@dataclass
class Site:
    """The page in a browser, and the server behind it.

    Attributes:
        expected: statuses of failures that the test has asked for; browsers tell of each on the console.
        troubles: what must not happen: errors on the console, exceptions, dialogs, requests to others.
    """

    fake: FakeServer
    page: Any
    folder: Path
    expected: set[int] = field(default_factory=set)
    troubles: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", self.hear)
        self.page.on("pageerror", lambda error: self.troubles.append(f"exception: {error}"))
        self.page.on("dialog", lambda dialog: (self.troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("request", self.check_origin)

    def hear(self, message: Any) -> None:
        failed = re.search(r"status of (\d+)|net::(ERR_\w+)", message.text)
        if message.type == "error" and not (failed and int(failed[1] or 0) in self.expected):
            self.troubles.append(f"console: {message.text}")

    def check_origin(self, request: Any) -> None:
        if not request.url.startswith((f"{self.fake.origin}/", f"blob:{self.fake.origin}/", "data:")):
            self.troubles.append(f"request to {request.url}")

    def go(self, view: str) -> None:
        """Go to a view by the address, and wait until it is drawn."""
        self.page.goto(f"{self.fake.origin}/#/{view}")
        self.page.wait_for_selector(f".view.{view} h1")

    def file(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    def images(self, number: int) -> list[str]:
        return [self.file(f"image-{i:03}.png", png(i)) for i in range(number)]

    def pick(self, *paths: str) -> None:
        self.page.set_input_files("#pick", list(paths))

    def text(self, selector: str) -> str:
        words: str = self.page.locator(selector).first.inner_text()
        return " ".join(words.replace("\u2009", " ").split())

    def texts(self, selector: str) -> list[str]:
        return [" ".join(words.split()) for words in self.page.locator(selector).all_inner_texts()]

    def until(self, script: str) -> None:
        """Wait until an expression is true in the page, whose policy lets no text be run there."""
        end = time.monotonic() + TIMEOUT_MS / 1000
        while not self.page.evaluate(script):
            assert time.monotonic() < end, f"never true: {script}"
            self.page.wait_for_timeout(30)

    def asked(self, path: str) -> list[str]:
        return [found for _, found, _ in self.fake.asked if found.partition("?")[0] == path]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all tests of a file: while it is open, no event loop can be run beside it."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="looking at the page takes playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("looking at the page takes a browser: chromium was not found")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *CAMERA]
        )
        yield launched
        launched.close()


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    with running(FakeServer(usual_models())) as server:
        yield server


@pytest.fixture
def open_site(browser: Any, fake: FakeServer, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Opens the page in a context of its own, with settings of Playwright's for it."""
    opened: list[Site] = []

    def open_site(*, view: str = "try", script: str | None = None, **settings: Any) -> Site:
        context = browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, **settings})
        context.set_default_timeout(TIMEOUT_MS)
        if script:
            context.add_init_script(script)
        site = Site(fake, context.new_page(), tmp_path)
        site.watch()
        opened.append(site)
        if view:
            site.go(view)
        return site

    yield open_site
    troubles = [trouble for site in opened for trouble in site.troubles]
    for site in opened:
        site.page.context.close()
    assert not troubles


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    return open_site()
