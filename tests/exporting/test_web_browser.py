"""The exported page in a browser, as people use it; and that it says nothing to anybody but its own server."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.exporting.small_page import CLASS_NAMES, Quiet, browser_path, page_folder, runtime, served, small_description
from tests.exporting.small_pictures import picture, saved

from resnetkit.exporting.page_server import FolderHandler
from resnetkit.exporting.web_page import write_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

__all__ = ["browser_path", "page_folder", "runtime"]
pytestmark = pytest.mark.slow
EVIL = "<img src=x onerror=\"document.title='broken'\">.png"
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


class Isolating(FolderHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture(scope="module")
def chromium(browser_path: str) -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu", *CAMERA])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(page_folder: Path) -> Iterator[str]:
    with served(page_folder, Isolating) as address:
        yield address


@pytest.fixture
def opened(chromium: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Opens the page; at the end nothing may have been said on the console, nor asked of another server."""
    contexts, told, elsewhere = [], list[str](), list[str]()

    def watch(page: Page, base: str) -> None:
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith((base, "blob:", "data:")) else elsewhere.append(request.url),
        )

    def make(at: str = address, *, ready: bool = True, **settings: Any) -> Page:
        context = chromium.new_context(**{"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, **settings})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        watch(page, at)
        page.goto(at)
        if ready:
            page.locator("#asking").wait_for()
        return page

    yield make
    for context in contexts:
        context.close()
    assert not told
    assert not elsewhere


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    contents = {EVIL: saved(picture(), "PNG"), "second.jpg": saved(picture(), "JPEG"), "bad.jpg": b"these are words"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return [str(tmp_path / name) for name in contents]


def cards(page: Page) -> Locator:
    return page.locator("#cards > li")


def wait_until_done(page: Page, number: int) -> None:
    done = f"{number} images, done" if number > 1 else "1 image, done"
    page.locator("#status", has_text=done).wait_for()


def drop(page: Page, kind: str, content: bytes, name: str) -> None:
    """Drop, or paste, a file somewhere on the page."""
    page.evaluate(
        """([kind, content, name]) => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(content)], name, { type: "image/png" }));
            const about = { bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data };
            for (const type of kind === "drop" ? ["dragover", "drop"] : ["paste"])
                document.body.dispatchEvent(new (kind === "drop" ? DragEvent : ClipboardEvent)(type, about));
        }""",
        [kind, list(content), name],
    )


def test_several_files_become_cards_in_their_order_and_names_stay_text(
    opened: Callable[..., Page], files: list[str]
) -> None:
    page = opened()
    assert page.locator("h1").inner_text() == "small <b>page</b>" == page.title()
    page.set_input_files("#files", files)
    wait_until_done(page, 3)
    assert cards(page).locator("h3").all_inner_texts() == [EVIL, "second.jpg", "bad.jpg"]
    assert "cannot read the file" in cards(page).nth(2).inner_text()
    assert page.locator("#cards img").count() == 2
    names = cards(page).nth(0).locator(".name").all_inner_texts()
    assert sorted(names) == sorted(CLASS_NAMES)
    shares = [
        float(text.strip("<> %\N{NO-BREAK SPACE}")) for text in cards(page).nth(0).locator(".share").all_inner_texts()
    ]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.3)
    assert re.search(r"61 × 47 px · \d+ ms on \d+ thread", cards(page).nth(0).inner_text())
    assert page.title() == "small <b>page</b>"


def test_dropped_and_pasted_images_are_answered_and_the_newest_stands_first(opened: Callable[..., Page]) -> None:
    page = opened()
    drop(page, "drop", saved(picture(), "PNG"), "dropped.png")
    wait_until_done(page, 1)
    drop(page, "paste", saved(picture(), "PNG"), "image.png")
    cards(page).nth(1).wait_for()
    wait_until_done(page, 1)
    assert cards(page).locator("h3").all_inner_texts() == ["pasted image", "dropped.png"]
    assert page.locator("#cards .problem").count() == 0


def test_the_number_of_classes_shown_changes_all_cards_and_all_can_be_removed(
    opened: Callable[..., Page], files: list[str]
) -> None:
    page = opened()
    page.set_input_files("#files", files[:2])
    wait_until_done(page, 2)
    page.fill("#top", "2")
    assert [cards(page).nth(n).locator(".name").count() for n in range(2)] == [2, 2]
    page.fill("#top", "")
    assert cards(page).nth(0).locator(".name").count() == 1
    page.fill("#top", "99")
    assert cards(page).nth(0).locator(".name").count() == len(CLASS_NAMES)
    page.click("#clear")
    assert not page.locator("#answers").is_visible()
    assert cards(page).count() == 0


def test_the_camera_takes_photos_and_looks_live(opened: Callable[..., Page]) -> None:
    page = opened()
    page.click("#open-camera")
    page.locator("#live:not([disabled])").click()
    page.locator("#live-answer .bars").wait_for()
    page.click("#shoot")
    wait_until_done(page, 1)
    assert cards(page).locator("h3").inner_text() == "photo 1"
    page.click("#live")
    assert page.locator("#live-answer .bars").count() == 0
    page.click("#close-camera")
    assert not page.locator("#camera").is_visible()
    assert page.evaluate("document.querySelector('#video').srcObject") is None


def test_a_camera_that_may_not_be_opened_is_told_in_words(opened: Callable[..., Page]) -> None:
    page = opened()
    page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('no, thanks')); }")
    page.click("#open-camera")
    assert "could not be opened: no, thanks" in page.locator("#camera-problem").inner_text()
    assert page.locator("#open-camera").is_enabled()


def test_the_keyboard_is_enough(opened: Callable[..., Page], files: list[str]) -> None:
    page = opened()
    page.on("filechooser", lambda chooser: chooser.set_files(files[:2]))  # early: a busy browser obeys late
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
        shown = "#files" if reached[-1] != "files" else "label[for=files]"
        outline = page.evaluate(
            "(at) => getComputedStyle(at ? document.querySelector(at) : document.activeElement).outlineStyle",
            shown if reached[-1] == "files" else None,
        )
        assert outline == "solid", reached
    assert reached == ["language", "files", "open-camera"]
    page.keyboard.press("Enter")
    page.locator("#shoot:not([disabled])").wait_for()
    assert page.evaluate("document.activeElement.id") == "shoot"
    page.keyboard.press("Enter")
    wait_until_done(page, 1)
    page.focus("#files")
    page.keyboard.press("Enter")
    wait_until_done(page, 2)
    assert cards(page).count() == 3


def test_the_language_is_the_browsers_and_the_switch_changes_all_that_is_said(
    opened: Callable[..., Page], files: list[str]
) -> None:
    page = opened(locale="zh-CN")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    page.set_input_files("#files", files)
    page.locator("#status", has_text="3 张图片，已完成").wait_for()
    assert "无法将此文件读作图片" in cards(page).nth(2).inner_text()
    chinese = re.compile(r"[\u4e00-\u9fff]")
    page.click("#language")
    assert page.locator("html").get_attribute("lang") == "en"
    said = page.inner_text("body").replace("中文", "").replace("猫", "")
    assert not chinese.search(said)
    page.reload()
    page.locator("#asking").wait_for()
    assert page.locator("label[for=files]").inner_text() == "Choose images"  # the choice is kept
    page.click("#language")
    page.set_input_files("#files", files[:1])
    page.locator("#status", has_text="1 张图片，已完成").wait_for()
    english = re.findall(r"[A-Za-z]{4,}", page.inner_text("body").replace(EVIL, ""))
    assert set(english) <= {"small", "page", "English", "ONNX", "Runtime", "daisy", "more", "another", "onerror",
                            "document", "title", "broken"}  # fmt: skip


DOUBTS = {
    "temperature": 1,
    "unknown": {"below": -100, "rate": 0.05},
    "sure": {"least": 0.9999, "precision": 0.9995},
    "sets": {"rule": "lac", "most": 0.9999, "coverage": 0.95},
    "rounding": 1e-5,
}


@pytest.fixture
def deciding(page_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """The folder of a page whose classifier decides by these thresholds."""

    def make(**thresholds: object) -> Path:
        folder = Path(shutil.copytree(page_folder, tmp_path / "deciding"))
        (folder / "classifier.json").write_text(small_description(decision={**DOUBTS, **thresholds}))
        return folder

    return make


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_doubts_and_sets_are_told_on_the_card_and_what_they_promise_above_all_cards(
    opened: Callable[..., Page], deciding: Callable[..., Path], files: list[str], language: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with served(deciding(), Isolating) as at:
        page = opened(at, locale=language, bypass_csp=True)
        page.set_input_files("#files", files[1:2])
        page.locator(".set").wait_for()
        doubt, names = page.inner_text(".doubt"), page.inner_text(".set")
        assert doubt.startswith("Unsure" if language == "en-GB" else "不确定")
        assert names.startswith("Possible classes: " if language == "en-GB" else "可能的类别：")
        assert all(name in names for name in CLASS_NAMES)
        assert page.locator(".bars.named").count() == 0, "the most probable class is no answer"
        told = page.locator("#thresholds li").all_inner_texts()
        shares = ["5\N{NO-BREAK SPACE}%", "99.95\N{NO-BREAK SPACE}%", "95\N{NO-BREAK SPACE}%"]
        assert len(told) == len(shares)
        assert all(share in line for share, line in zip(shares, told, strict=True))
        assert "99.99\N{NO-BREAK SPACE}%" in told[1]
        assert axe.run(page).violations_count == 0
        shown = page.evaluate(
            "import('./page/words.js').then(({ percent }) => [0.99996, 1, 1e-5, 0].map((x) => percent(x)))"
        )
        assert [text.replace("\N{NO-BREAK SPACE}", " ") for text in shown] == [
            "> 99.9 %",
            "100.0 %",
            "< 0.1 %",
            "0.0 %",
        ]


def test_an_image_like_no_class_is_unknown_and_gets_no_set(
    opened: Callable[..., Page], deciding: Callable[..., Path], files: list[str]
) -> None:
    with served(deciding(unknown={"below": 100, "rate": 0.05}, sure=None), Isolating) as at:
        page = opened(at)
        page.set_input_files("#files", files[1:2])
        wait_until_done(page, 1)
        assert page.inner_text(".doubt").startswith("Unknown")
        assert page.locator(".set").count() == page.locator(".bars.named").count() == 0
        assert page.locator("#thresholds li").count() == 2


def test_a_classifier_without_thresholds_says_nothing_of_them(opened: Callable[..., Page], files: list[str]) -> None:
    page = opened()
    page.set_input_files("#files", files[1:2])
    wait_until_done(page, 1)
    assert not page.locator("#thresholds").is_visible()
    assert page.locator(".bars.named").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1440])
def test_it_fits_and_axe_finds_nothing(opened: Callable[..., Page], files: list[str], scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True)
    assert axe.run(page).violations_count == 0
    page.set_input_files("#files", files)
    wait_until_done(page, 3)
    page.click("#open-camera")
    page.locator("#live:not([disabled])").click()
    page.locator("#live-answer .bars").wait_for()
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)" if scheme == "light" else "rgb(19, 22, 27)"
    )


def test_a_plain_server_does_with_one_thread(opened: Callable[..., Page], page_folder: Path, files: list[str]) -> None:
    with served(page_folder, Quiet) as plain:
        page = opened(plain)
        page.set_input_files("#files", files[:1])
        wait_until_done(page, 1)
        assert "on 1 thread" in cards(page).inner_text()
        assert "on 1 thread. More need the two headers" in page.inner_text("#speed")


def test_the_servers_headers_give_threads(opened: Callable[..., Page]) -> None:
    page = opened()
    assert page.evaluate("self.crossOriginIsolated")
    cores = page.evaluate("navigator.hardwareConcurrency")
    threads = re.search(r"on (\d+) thread", page.inner_text("#speed"))
    assert threads is not None
    assert (int(threads[1]) > 1) == (cores > 1)


def test_neither_the_page_nor_its_workers_can_tell_another_server_anything(
    chromium: Browser, address: str, page_folder: Path
) -> None:
    asked = []

    class Listening(BaseHTTPRequestHandler):
        """Of another origin, and takes whatever a browser lets out."""

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Cross-Origin-Resource-Policy", "cross-origin")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the base calls it so

        def log_message(self, format: str, *args: object) -> None: ...

    ask = "const ask = (at) => fetch(at, { method: 'POST', body: 'pixels' }).then(() => 'told', () => 'held');"
    with ThreadingHTTPServer(("127.0.0.1", 0), Listening) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        other = f"http://127.0.0.1:{server.server_port}/"
        page = chromium.new_page()
        page.goto(address + "serve.py")  # no page of ours, and so under no policy: the listener does hear
        assert page.evaluate(f"(at) => {{ {ask} return ask(at); }}", other) == "told"
        assert len(asked) == 1
        page.goto(address)
        page.locator("#asking").wait_for()
        assert page.evaluate(f"(at) => {{ {ask} return ask(at); }}", other) == "held"
        assert page.workers
        for worker in page.workers[:1]:  # ours; those behind it are threads of the runtime
            assert worker.evaluate(f"(at) => {{ {ask} return ask(at); }}", other) == "held"
        page.close()
        server.shutdown()
    assert len(asked) == 1


def test_a_network_that_is_missing_is_told_in_words(
    chromium: Browser, runtime: dict[str, bytes], tmp_path: Path
) -> None:
    write_page(tmp_path, runtime)
    (tmp_path / "classifier.json").write_text("{}")
    with served(tmp_path) as address:
        page = chromium.new_page()
        page.goto(address)
        page.locator("#loading-words[role=alert]").wait_for()
        assert "could not be loaded: model.onnx: 404" in page.inner_text("#loading-words")
        page.close()
