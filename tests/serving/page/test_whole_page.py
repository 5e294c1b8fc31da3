"""The page as a whole: for keyboards and readers of screens, in both languages and themes, at all widths."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.serving.page.conftest import Site
from tests.serving.page.fake_server import Failing, png
from tests.serving.page.test_files import strings

pytestmark = pytest.mark.slow
Open = Callable[..., Site]

VIEWS = ("try", "batch", "model", "results", "api")
CHINESE = strings("zh.js")
NO_STORAGE = """for (const name of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, name, { get() { throw new DOMException("closed", "SecurityError"); } });"""


def walk(site: Site) -> Iterator[str]:
    """Go through all views with something in each, and wait until it is there."""
    site.expected |= {404, 422}
    site.pick(site.file("notes.txt", b"no image"), site.file("a.png", png(3, (200, 120))), *site.images(1))
    site.page.locator(".verdict").nth(1).wait_for()
    site.page.locator("[data-panel=why]").first.click()
    site.page.wait_for_selector(".told .question, .told .note")
    site.page.locator("[data-panel=code]").nth(1).click()
    yield "try"
    site.page.evaluate("location.hash = '#/batch'")
    site.page.wait_for_selector(".view.batch #pick", state="attached")
    if not site.page.locator(".batch-table tbody tr").count():
        site.pick(site.file("bad.png", b"no"), *site.images(20))
        site.page.locator(".work button.primary").click()
    site.page.wait_for_selector(".counts button")
    yield "batch"
    for view, ready in (("model", ".view.model .network"), ("results", ".matrix button"), ("api", ".example")):
        site.page.evaluate(f"location.hash = '#/{view}'")
        site.page.wait_for_selector(ready)
        if view == "results":
            site.page.locator(".matrix button.on-diagonal").first.click()
        if view == "api":
            site.page.locator("summary").first.click()
            site.page.locator(".example .head > button").first.click()
            site.page.wait_for_selector(".answered pre")
        yield view


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_stands_in_the_way_of_anybody(open_site: Open, theme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="it is axe that looks")
    site = open_site(color_scheme=theme, viewport={"width": width, "height": 900})
    found = {}
    for view in walk(site):
        violations = axe.Axe().run(site.page).response["violations"]
        found[view] = [(one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in violations]
    assert found == {view: [] for view in VIEWS}


@pytest.mark.parametrize("width", [320, 360, 600, 768, 1024, 1440])
def test_no_view_is_wider_than_the_window(open_site: Open, width: int) -> None:
    site = open_site(viewport={"width": width, "height": 700})
    wide = [view for view in walk(site) if site.page.evaluate("document.documentElement.scrollWidth") > width]
    assert wide == []


def test_every_view_has_one_heading_and_its_name_in_the_title(site: Site) -> None:
    for view in walk(site):
        assert site.page.locator("h1").count() == 1, view
        assert site.page.locator("nav [aria-current]").inner_text() in site.page.title()


def reach(site: Site, found: str, *, most: int = 40) -> None:
    """Press Tab until an element has the focus; each on the way shows that it has it."""
    for _ in range(most):
        site.page.keyboard.press("Tab")
        if site.page.evaluate("document.activeElement !== document.body"):
            shown = "parseFloat(getComputedStyle(document.activeElement).outlineWidth)"
            assert site.page.evaluate(shown) >= 2, site.page.evaluate("document.activeElement.outerHTML")
        if site.page.evaluate(f"document.activeElement.matches({json.dumps(found)})"):
            return
    raise AssertionError(f"{found} is not reached")


def test_the_keyboard_alone_does_it_all(site: Site) -> None:
    keyboard, choosers = site.page.keyboard, []
    # From now on, so that none is opened before it is listened for.
    site.page.on("filechooser", lambda chooser: choosers.append(chooser))
    reach(site, ".skip", most=1)
    keyboard.press("Enter")
    assert site.page.evaluate("document.activeElement.tagName") == "H1"
    reach(site, ".drop button.primary", most=2)
    keyboard.press("Enter")
    for _ in range(1000):
        if not choosers:
            site.page.wait_for_timeout(30)
    choosers[0].set_files(site.images(1))
    site.page.wait_for_selector(".verdict")
    reach(site, "[data-panel=why]")
    keyboard.press("Enter")
    site.page.wait_for_selector(".told .question")
    reach(site, ".explanation select", most=3)
    keyboard.press("ArrowDown")
    reach(site, ".explanation input[type=range]", most=4)
    keyboard.press("ArrowRight")
    site.until("document.querySelector('.map') && getComputedStyle(document.querySelector('.map')).opacity === '0.86'")
    site.page.evaluate("document.activeElement.blur()")
    reach(site, "nav a[href='#/results']")
    keyboard.press("Enter")
    site.page.wait_for_selector(".matrix button")
    site.expected = {404}
    assert site.page.evaluate("document.activeElement.tagName") == "H1"
    reach(site, ".matrix button")
    keyboard.press("Enter")
    assert site.page.evaluate("document.activeElement.className") == "opened"


def test_the_theme_follows_the_system_until_it_is_chosen_and_is_remembered(open_site: Open) -> None:
    site = open_site(color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = site.page.evaluate(paper)
    button = site.page.locator("#theme")
    button.click()
    light = site.page.evaluate(paper)
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(19, 22, 27)")
    assert site.page.evaluate("document.activeElement.id") == "theme"
    site.page.reload()
    site.page.wait_for_selector("h1")
    assert site.page.evaluate(paper) == light
    button.click()
    assert "Theme: dark" in (button.get_attribute("aria-label") or "")
    button.click()
    site.page.emulate_media(color_scheme="light")
    assert site.page.evaluate(paper) == light


def test_the_language_is_switched_and_remembered(site: Site) -> None:
    site.page.get_by_role("button", name="中文").click()
    assert site.page.evaluate("document.documentElement.lang") == "zh-Hans"
    assert site.page.evaluate("document.activeElement.id") == "language"
    for view in VIEWS:
        site.go(view)
        assert site.texts("nav a") == [CHINESE[f"nav.{name}"] for name in VIEWS]
        title = "flowers" if view == "model" else CHINESE[f"{view}.title"]
        assert site.text("h1") == title
        assert view != "model" or "1120万" in site.text(".facts")
    site.page.get_by_role("button", name="English").click()
    site.go("try")
    assert site.text("h1") == "What is in the picture?"


def test_answers_stay_when_the_language_changes(site: Site) -> None:
    site.pick(*site.images(1))
    site.page.wait_for_selector(".verdict")
    site.page.get_by_role("button", name="Why?").click()
    site.page.wait_for_selector(".map")
    site.page.get_by_role("button", name="中文").click()
    site.page.wait_for_selector(".map")
    assert (len(site.asked("/predict")), len(site.asked("/explain"))) == (1, 1)
    assert "为什么是" in site.text(".told .question")


def test_a_browser_in_chinese_is_shown_chinese(open_site: Open) -> None:
    site = open_site(locale="zh-CN")
    assert site.text("h1") == CHINESE["try.title"]


def test_all_views_are_whole_in_chinese(open_site: Open) -> None:
    site = open_site(locale="zh-CN")
    assert list(walk(site)) == list(VIEWS)


def test_the_page_works_where_storage_is_closed(open_site: Open) -> None:
    site = open_site(script=NO_STORAGE)
    site.page.locator("#theme").click()
    site.page.get_by_role("button", name="中文").click()
    assert site.text("h1") == CHINESE["try.title"]
    assert site.page.evaluate("document.documentElement.dataset.theme") == "light"


def test_a_token_is_asked_for_kept_for_the_tab_and_never_shown(open_site: Open) -> None:
    site = open_site(view="")
    site.expected, site.fake.token = {401}, "s3cret"
    site.page.goto(site.fake.origin)
    site.page.get_by_role("textbox", name="Token").fill("wrong")
    site.page.keyboard.press("Enter")
    site.page.get_by_text("The token was refused").wait_for()
    site.page.get_by_role("textbox", name="Token").fill("s3cret")
    site.page.get_by_role("button", name="Use it").click()
    site.page.wait_for_selector(".drop")
    site.pick(*site.images(1))
    site.page.get_by_role("button", name="As code").click()
    assert "$RESNETKIT_TOKEN" in site.text(".code pre")
    assert "s3cret" not in site.page.content()
    site.page.reload()
    site.page.wait_for_selector(".drop")
    assert site.page.evaluate("localStorage.length") == 0


def test_without_a_token_the_page_says_so_and_asks_again(open_site: Open) -> None:
    site = open_site(view="")
    site.expected, site.fake.token = {401}, "s3cret"
    site.page.goto(site.fake.origin)
    site.page.get_by_role("button", name="Cancel").click()
    assert "token" in site.text(".note.failure")
    site.page.get_by_role("button", name="Try again").click()
    site.page.get_by_role("textbox", name="Token").fill("s3cret")
    site.page.keyboard.press("Enter")
    site.page.wait_for_selector(".drop")


def test_images_of_the_run_are_shown_behind_a_token_too(open_site: Open) -> None:
    site = open_site(view="", script="sessionStorage.setItem('resnetkit.token', 's3cret')")
    site.expected, site.fake.token = {404}, "s3cret"
    site.go("results")
    site.page.locator(".thumbnail").first.scroll_into_view_if_needed()
    site.page.locator(".thumbnail img").first.wait_for()


def test_a_classifier_that_starts_is_told_of_until_it_is_ready(open_site: Open, fake: Any) -> None:
    fake.models[0].state = "starting"
    site = open_site()
    assert "starting" in site.text(".classifier")
    fake.models[0].state = "ready"
    site.until("document.querySelector('.dot.ready') !== null")


def test_a_classifier_that_was_never_opened_is_told_of_with_its_problem(open_site: Open, fake: Any) -> None:
    first = fake.models[0]
    first.state, first.is_opened, first.problem = "failed", False, "its file is damaged"
    site = open_site()
    site.until("document.querySelector('.note')?.textContent.includes('its file is damaged')")
    first.state, first.is_opened = "ready", True
    site.page.wait_for_selector(".drop")


def test_a_server_that_does_not_answer_at_first_is_told_of(open_site: Open) -> None:
    site = open_site(view="")
    site.expected = {500}
    site.fake.failures["/models"] = [Failing(500, "not answered", "it is being opened")]
    site.page.goto(site.fake.origin)
    assert "it is being opened" in site.text(".note.failure")
    site.page.get_by_role("button", name="Try again").click()
    site.page.wait_for_selector(".drop")


def test_nothing_moves_where_less_motion_is_asked_for(open_site: Open) -> None:
    site = open_site(reduced_motion="reduce")
    site.fake.seconds = 0.5
    site.pick(*site.images(1))
    site.page.wait_for_selector(".busy")
    assert site.page.evaluate("document.getAnimations().length") == 0


def test_readers_of_screens_are_told_of_answers_and_views(site: Site) -> None:
    site.page.evaluate(
        """() => {
          window.heard = [];
          const announcer = document.getElementById("announcer");
          new MutationObserver(() => heard.push(announcer.textContent)).observe(announcer, { childList: true });
        }"""
    )
    site.pick(*site.images(1))
    site.until("heard.some(words => words.startsWith('image-000.png: '))")
    site.page.get_by_role("link", name="API").click()
    site.until("heard.includes('Ask it from your own code')")


def test_every_address_is_relative_so_that_a_proxy_may_put_it_anywhere(open_site: Open) -> None:
    site = open_site(view="")
    prefix = f"{site.fake.origin}/behind/proxy/"

    def strip(route: Any) -> None:
        response = route.fetch(url=route.request.url.replace("/behind/proxy/", "/"))
        route.fulfill(response=response)

    site.page.route("**/behind/proxy/**", strip)
    site.page.goto(prefix)
    site.pick(*site.images(1))
    site.page.wait_for_selector(".verdict")
    assert len(site.asked("/predict")) == 1
