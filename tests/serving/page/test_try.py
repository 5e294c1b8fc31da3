"""Try: images one by one, their answers, reasons and code, and whatever can go wrong."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from tests.serving.page.conftest import Site
from tests.serving.page.fake_server import FLOWERS, Failing, png

pytestmark = pytest.mark.slow
Open = Callable[..., Site]

ANSWERED = ".card .verdict"
GIVE = """([kind, name]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([Uint8Array.from(atob("%s"), c => c.charCodeAt(0))], name, { type: "image/png" }));
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })
    : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
}"""


def give(site: Site, kind: str, name: str) -> None:
    site.page.evaluate(GIVE % base64.b64encode(png(7)).decode(), [kind, name])


def queries(site: Site, path: str) -> list[dict[str, str]]:
    return [{k: v[0] for k, v in parse_qs(urlsplit(asked).query).items()} for asked in site.asked(path)]


def test_picked_images_are_answered_with_the_five_best_classes(site: Site) -> None:
    site.pick(*site.images(2))
    site.page.locator(ANSWERED).nth(1).wait_for()
    row = site.fake.models[0].row("", png(0), 5)
    assert site.text(".verdict strong") == row["class"]
    shown = site.texts(".card:first-child .bars li")
    assert shown == [f"{one['class']} {100 * one['probability']:.1f} %" for one in row["top"]]
    assert queries(site, "/predict") == [{"model": "flowers", "top": "5"}] * 2
    site.until("document.getElementById('announcer').textContent.includes('%')")


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_images_are_dropped_and_pasted_anywhere(site: Site, kind: str) -> None:
    give(site, kind, "given.png")
    site.page.wait_for_selector(ANSWERED)
    assert site.text(".card h2") == "given.png"


def test_an_image_dropped_on_another_view_is_tried(open_site: Open) -> None:
    site = open_site(view="model")
    give(site, "drop", "given.png")
    site.page.wait_for_selector(ANSWERED)
    assert site.page.evaluate("location.hash") == "#/try"


def test_a_picture_is_taken_with_the_camera(open_site: Open) -> None:
    site = open_site(permissions=["camera"])
    site.page.get_by_role("button", name="Camera").click()
    site.page.get_by_role("button", name="Take it").click()
    site.page.wait_for_selector(ANSWERED)
    assert site.text(".card h2") == "camera-1.jpg"
    assert site.page.locator("dialog").count() == 0


def test_a_camera_that_is_refused_is_told_of(open_site: Open) -> None:
    refuse = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError'); }"
    site = open_site(script=refuse)
    site.page.get_by_role("button", name="Camera").click()
    assert "not allowed" in site.text("dialog .note")
    site.page.keyboard.press("Escape")
    site.page.wait_for_selector("dialog", state="detached")


def test_an_unreadable_file_is_told_of_with_what_why_and_fix_and_spoils_no_other(site: Site) -> None:
    site.expected = {422}
    site.pick(site.file("notes.txt", b"no image"), *site.images(1))
    site.page.wait_for_selector(ANSWERED)
    note = site.text(".note.failure")
    for part in ("is not an image", "it begins like none", "send an image file"):
        assert part in note
    assert site.texts(".card h2") == ["notes.txt", "image-000.png"]


def test_a_busy_server_is_asked_again_when_it_says_so(site: Site) -> None:
    site.expected = {503}
    site.fake.failures["/predict"] = [Failing(503, headers=(("Retry-After", "1"),))] * 2
    site.pick(*site.images(1))
    site.until("document.querySelector('.body .busy')?.textContent.includes('busy')")
    site.page.wait_for_selector(ANSWERED)
    assert len(site.asked("/predict")) == 3


def test_a_failure_of_the_server_can_be_tried_again(site: Site) -> None:
    site.expected = {500}
    site.fake.failures["/predict"] = [Failing(500, "not answered", "the worker has died", "send it again")]
    site.pick(*site.images(1))
    assert "the worker has died" in site.text(".note.failure")
    site.page.get_by_role("button", name="Try again").click()
    site.page.wait_for_selector(ANSWERED)


def test_a_failure_without_words_gets_some(site: Site) -> None:
    site.expected = {502}
    site.fake.failures["/predict"] = [Failing(502, body="<h1>Bad gateway</h1>")]
    site.pick(*site.images(1))
    assert "The server answered with 502" in site.text(".note.failure")


def test_a_server_that_is_gone_is_told_of(site: Site) -> None:
    site.expected = {0}
    site.page.route("**/predict*", lambda route: route.abort("connectionrefused"))
    site.pick(*site.images(1))
    assert "The server does not answer" in site.text(".note.failure")
    site.page.unroute("**/predict*")
    site.page.get_by_role("button", name="Try again").click()
    site.page.wait_for_selector(ANSWERED)


def test_an_explanation_is_laid_over_the_image_and_asked_for_other_classes(site: Site) -> None:
    content = png(3)
    site.pick(site.file("a.png", content))
    site.page.get_by_role("button", name="Why?").click()
    site.page.wait_for_selector(".told .question")
    overlay = site.page.locator(".map")
    assert overlay.evaluate("map => getComputedStyle(map).opacity") == "0.85"
    site.page.get_by_label("Map over the image").fill("25")
    assert overlay.evaluate("map => getComputedStyle(map).opacity") == "0.25"
    assert site.page.locator(".unseen-part").count() == 1  # 64×48: the network saw a square
    best = site.fake.models[0].row("", content, 1)["class"]
    other, third = [name for name in FLOWERS if name != best][:2]
    for label, value in (("Explain", other), ("and not", third), ("Method", "occlusion")):
        site.page.get_by_label(label, exact=True).select_option(value)
        site.page.wait_for_selector(".told .question")
    assert queries(site, "/explain") == [
        {"model": "flowers", "method": "grad_cam", "class": best},
        {"model": "flowers", "method": "grad_cam", "class": other},
        {"model": "flowers", "method": "grad_cam", "class": other, "against": third},
        {"model": "flowers", "method": "occlusion", "class": other, "against": third},
    ]
    assert site.text(".told .question").startswith(f"Why {other} and not {third}?")
    assert overlay.evaluate("map => getComputedStyle(map).opacity") == "0.25"
    site.page.get_by_role("button", name="Why?").click()
    assert overlay.count() == 0


def test_an_explanation_that_fails_is_told_of_and_asked_for_again(site: Site) -> None:
    site.expected = {422}
    site.fake.failures["/explain"] = [Failing(422, "cannot be explained so", "it reads no map")]
    site.pick(*site.images(1))
    site.page.get_by_role("button", name="Why?").click()
    assert "it reads no map" in site.text(".told .note")
    site.page.get_by_role("button", name="Try again").click()
    site.page.wait_for_selector(".told .question")


def test_an_image_that_the_browser_cannot_show_is_answered_and_shown_by_its_explanation(site: Site) -> None:
    file = io.BytesIO()
    Image.linear_gradient("L").save(file, "TIFF")
    site.pick(site.file("scan.tif", file.getvalue()))
    site.page.wait_for_selector(ANSWERED)
    site.page.wait_for_selector(".no-preview")
    site.page.get_by_role("button", name="Why?").click()
    site.page.wait_for_selector(".map")
    site.until("document.querySelector('.photo').naturalWidth === 256")


def copied(site: Site, name: str) -> str:
    site.page.get_by_role("button", name="As code").click()
    site.page.get_by_role("button", name=f"Copy {name}").click()
    site.page.get_by_role("button", name="Copied").wait_for()
    text: str = site.page.evaluate("navigator.clipboard.readText()")
    return text


HARD_NAME = 'it\'s "$(touch owned)" 花.png'


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_command_that_is_copied_gives_the_same_answer(open_site: Open) -> None:
    site = open_site(permissions=["clipboard-read", "clipboard-write"])
    site.pick(site.file(HARD_NAME, png(1)))
    done = subprocess.run(["bash", "-c", copied(site, "curl")], cwd=site.folder, capture_output=True, text=True)
    assert json.loads(done.stdout)["class"] == site.text(".verdict strong"), done.stderr
    assert not (site.folder / "owned").exists()


def test_the_script_that_is_copied_gives_the_same_answer(open_site: Open) -> None:
    site = open_site(permissions=["clipboard-read", "clipboard-write"])
    site.pick(site.file(HARD_NAME, png(1)))
    done = subprocess.run(
        [sys.executable, "-c", copied(site, "Python")], cwd=site.folder, capture_output=True, text=True
    )
    assert json.loads(done.stdout)["class"] == site.text(".verdict strong"), done.stderr


def test_code_is_copied_where_there_is_no_clipboard(open_site: Open) -> None:
    site = open_site(script="Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    site.page.evaluate("addEventListener('copy', () => (window.copied = String(document.activeElement.value)))")
    site.pick(*site.images(1))
    site.page.get_by_role("button", name="As code").click()
    site.page.get_by_role("button", name="Copy curl").click()
    site.page.get_by_role("button", name="Copied").wait_for()
    assert site.page.evaluate("window.copied").startswith("curl ")


def test_another_classifier_answers_anew_and_is_remembered(site: Site) -> None:
    site.pick(*site.images(1))
    site.page.wait_for_selector(ANSWERED)
    site.page.get_by_label("Classifier").select_option("many")
    site.until("document.querySelector('.verdict strong')?.textContent.startsWith('class ')")
    assert [query["model"] for query in queries(site, "/predict")] == ["flowers", "many"]
    assert "400 classes" in site.text(".lead")
    site.page.reload()
    site.page.wait_for_selector("h1")
    assert site.page.get_by_label("Classifier").input_value() == "many"


def test_names_that_attack_stay_text(site: Site) -> None:
    site.expected = {404}  # of an image of the run that is gone
    hostile = site.fake.models[1]
    site.page.get_by_label("Classifier").select_option(hostile.name)
    site.until("document.querySelector('.lead')?.textContent.includes('evil.example')")
    name = "<img src=x onerror=alert(1)>.png"
    site.pick(*(site.file(f"{i}{name}", png(i)) for i in range(6)))
    site.page.locator(ANSWERED).nth(5).wait_for()
    site.page.get_by_role("button", name="Why?").first.click()
    site.page.wait_for_selector(".told .question")
    site.page.get_by_role("button", name="As code").nth(1).click()
    assert site.texts(".card h2")[0] == f"0{name}"
    for view in ("batch", "model", "results", "api"):
        site.page.evaluate(f"location.hash = '#/{view}'")
        site.page.wait_for_selector(f".view.{view} h1")
        if view == "results":
            site.page.locator(".pairs button").first.click()
            site.page.wait_for_selector(".opened .thumbnail")
        assert site.page.locator("main b, main script, img[src='x'], img[src*='evil']").count() == 0
        if view == "model":
            assert hostile.class_names[0] in site.texts(".names li")
    assert hostile.name in site.page.evaluate("document.title")


def test_images_are_removed_and_the_focus_stays_near(site: Site) -> None:
    site.pick(*site.images(3))
    site.page.locator(ANSWERED).nth(2).wait_for()
    site.page.get_by_role("button", name="Remove image-001.png").click()
    assert site.texts(".card h2") == ["image-000.png", "image-002.png"]
    assert site.page.evaluate("document.activeElement.closest('.card') !== null")
    site.page.get_by_role("button", name="Clear all").click()
    assert site.page.locator(".card").count() == 0
    assert site.page.evaluate("document.activeElement.textContent") == "Choose images"


def test_too_many_images_for_one_by_one_go_to_the_batch(site: Site) -> None:
    site.pick(*site.images(25))
    site.page.wait_for_selector(".view.batch")
    assert "0 of 25 images" in site.text(".progress-words")
    assert site.asked("/predict") == []


def test_answers_are_kept_while_other_views_are_looked_at(site: Site) -> None:
    site.pick(*site.images(1))
    site.page.wait_for_selector(ANSWERED)
    site.page.get_by_role("link", name="Model").click()
    site.page.wait_for_selector(".view.model h1")
    site.page.get_by_role("link", name="Try").click()
    site.page.wait_for_selector(ANSWERED)
    assert len(site.asked("/predict")) == 1


def test_a_close_call_is_called_so(site: Site) -> None:
    site.fake.models[0].probabilities = lambda content: [0.45, 0.44, 0.05, 0.03, 0.03]  # type: ignore[method-assign]
    site.pick(*site.images(1))
    site.page.wait_for_selector(ANSWERED)
    assert "A close call: dandelion" in site.text(".card .body")
    assert re.fullmatch(r"daisy 45\.0 %", site.text(".verdict"))
