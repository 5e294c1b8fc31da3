"""Model, Results and API: what the page tells of a classifier, against what the server says of it."""

import re
from collections import Counter
from collections.abc import Callable

import pytest
from tests.serving.page.conftest import Site
from tests.serving.page.fake_server import FLOWERS, Failing, png

from resnetkit.evaluation.metrics import wilson_interval

pytestmark = pytest.mark.slow
Open = Callable[..., Site]


def test_the_model_is_told_whole(open_site: Open) -> None:
    site = open_site(view="model")
    words = site.text(".view")
    for told in (
        *("resnet18", "11.2 million", "1.81 billion", "runs/0001-resnet18-flowers", *FLOWERS),
        *("92.13 %", "93.00 %", "n = 367", "256 px (bilinear)", "224 × 224 px", "mirror image", "0.485, 0.456, 0.406"),
        *("2,936", "64 million pixels", "30 s", "middle 88 %", "2 files were left out", "resnetkit train flowers"),
    ):
        assert told in words, told
    assert re.search(r"95 % interval 89\.\d\d to 94\.\d\d", words)


def test_the_network_is_a_picture_that_runs_nothing(open_site: Open) -> None:
    site = open_site(view="model")
    site.until("document.querySelector('img.network')?.naturalWidth === 300")  # the drawing's script has not run
    assert site.page.locator("main svg text, main script").count() == 0


def test_a_classifier_without_a_run_has_no_results_and_says_so(open_site: Open) -> None:
    site = open_site()
    assert site.page.get_by_role("link", name="Results").count() == 1
    site.page.get_by_label("Classifier").select_option("many")
    site.page.get_by_role("link", name="Results").wait_for(state="detached")
    site.page.evaluate("location.hash = '#/results'")
    site.until("document.querySelector('.results .lead')?.textContent.includes('No answers are kept')")
    site.page.get_by_role("link", name="Model").click()
    site.page.wait_for_selector(".view.model h1")
    assert "No scores are recorded" in site.text(".view.model")


def test_one_of_many_classes_is_found(open_site: Open) -> None:
    site = open_site()
    site.page.get_by_label("Classifier").select_option("many")
    site.page.get_by_role("link", name="Model").click()
    site.page.get_by_label("Find a class").fill("class 39")
    assert site.texts(".names li") == ["class 39", *(f"class {i}" for i in range(390, 400))]
    assert "11 classes" in site.text(".view.model")


def test_class_scores_are_sorted(open_site: Open) -> None:
    site = open_site(view="model")
    assert site.texts(".per-class tbody th") == list(FLOWERS[::-1])  # worst found first
    site.page.locator(".per-class").get_by_role("button", name="Class").click()
    assert site.texts(".per-class tbody th") == sorted(FLOWERS)


@pytest.fixture
def results(open_site: Open) -> Site:
    site = open_site(view="results")
    site.expected = {404}  # of images that are gone
    site.page.wait_for_selector(".matrix button")
    return site


def test_the_matrix_counts_and_a_cell_shows_its_images(results: Site) -> None:
    rows = results.fake.models[0].results()["rows"]
    cells = Counter((row["true"], row["answer"]) for row in rows)
    for y, true in enumerate(FLOWERS, start=1):
        shown = results.texts(f".matrix tbody tr:nth-child({y}) td")
        assert shown == [str(cells[true, answer] or "·") for answer in FLOWERS]
    name = re.compile("^sunflowers taken for daisy: ")
    results.page.get_by_role("button", name=name).click()
    wanted = sorted(
        (row for row in rows if (row["true"], row["answer"]) == ("sunflowers", "daisy")),
        key=lambda row: -row["probability"],
    )
    assert results.texts(".opened .path") == [row["path"] for row in wanted]
    results.page.locator(".opened img").first.wait_for()
    assert results.page.evaluate("document.activeElement.className") == "opened"
    results.page.get_by_role("button", name="Close").click()
    assert not results.page.locator(".opened").is_visible()


def test_images_that_are_gone_are_told_of(results: Site) -> None:
    results.page.locator(".thumbnail").last.scroll_into_view_if_needed()
    results.page.get_by_text("No longer there").first.wait_for()


def test_arrow_keys_go_from_cell_to_cell_and_the_matrix_is_one_stop(results: Site) -> None:
    assert results.page.locator(".matrix button[tabindex='0']").count() == 1
    results.page.locator(".matrix button[tabindex='0']").focus()
    results.page.keyboard.press("ArrowDown")
    results.page.keyboard.press("ArrowRight")
    place = "[document.activeElement.closest('tr').rowIndex, document.activeElement.closest('td').cellIndex]"
    before = results.page.evaluate(place)
    assert before != [1, 1]
    results.page.keyboard.press("Enter")
    assert results.page.locator(".opened").is_visible()


def test_the_most_confused_classes_come_first_when_asked(results: Site) -> None:
    rows = results.fake.models[0].results()["rows"]
    confused: Counter[str] = Counter()
    for row in rows:
        if row["true"] != row["answer"]:
            confused.update((row["true"], row["answer"]))
    results.page.get_by_label("Order of the classes").select_option("confusion")
    shown = results.texts(".matrix tbody th")
    numbers = [confused[name] for name in shown]
    assert numbers == sorted(numbers, reverse=True)
    assert set(shown) == set(FLOWERS)


@pytest.mark.parametrize("percent", [0, 80, 95])
def test_a_threshold_tells_coverage_and_accuracy(results: Site, percent: int) -> None:
    rows = results.fake.models[0].results()["rows"]
    answered = [row for row in rows if row["probability"] >= percent / 100 and row["status"] != "unknown"]
    assert "answered at no threshold: 20." in " ".join(results.texts("section p"))
    correct = sum(row["true"] == row["answer"] for row in answered)
    results.page.get_by_label("Threshold").fill(str(percent))
    words = " ".join(results.texts(".told-numbers div"))
    low, high = wilson_interval(correct, len(answered))
    assert f"{len(answered)} of 240 images" in words
    assert f"{100 * correct / len(answered):.1f} %" in words
    assert f"{100 * low:.1f} to {100 * high:.1f}" in words


def test_the_worst_mistakes_are_those_it_was_surest_of(results: Site) -> None:
    rows = results.fake.models[0].results()["rows"]
    wrong = sorted((row for row in rows if row["true"] != row["answer"]), key=lambda row: -row["probability"])
    shown = results.texts("section:last-child .mistakes .path")
    assert shown == [row["path"] for row in wrong][: len(shown)]
    assert len(shown) == min(24, len(wrong))


def test_results_that_cannot_be_read_are_asked_for_again(open_site: Open) -> None:
    site = open_site(view="")
    site.expected = {500, 404}
    site.fake.failures["/models/flowers/results"] = [Failing(500, "the answers are damaged", "", "evaluate anew")]
    site.go("results")
    assert "he answers are damaged" in site.text(".note.failure")
    site.page.get_by_role("button", name="Try again").click()
    site.page.wait_for_selector(".matrix button")


def test_every_example_of_the_api_is_answered(open_site: Open) -> None:
    site = open_site(view="api")
    site.page.wait_for_selector(".example")
    buttons = site.page.get_by_role("button", name="Send")
    for i in range(buttons.count()):
        buttons.nth(i).click()
        site.page.locator(".example").nth(i).locator(".answered pre").wait_for()
        assert site.texts(".example")[i].count("200 OK") == 1
    paths = {path.partition("?")[0] for _, path, _ in site.fake.asked}
    assert {"/predict", "/explain", "/v2/models/flowers/infer", "/v2/health/ready", "/metrics"} <= paths
    hrefs = site.page.locator(".links a").evaluate_all("links => links.map(link => link.pathname)")
    assert {"/openapi.json", "/metrics"} <= set(hrefs)


def test_examples_send_the_image_that_was_tried_last_and_show_refusals(open_site: Open) -> None:
    site = open_site()
    site.pick(site.file("mine.png", png(5)))
    site.page.wait_for_selector(".verdict")
    site.page.get_by_role("link", name="API").click()
    site.page.wait_for_selector(".view.api h1")
    assert "mine.png" in site.text(".view.api")
    site.expected = {413}
    site.fake.failures["/predict"] = [Failing(413, "too large")]
    site.page.get_by_role("button", name="Send").first.click()
    assert "too large" in site.text(".answered pre")
    assert site.text(".answered .wrong").startswith("413")
