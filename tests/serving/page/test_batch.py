"""Batch: hundreds of images, each answered once or told of, whatever the server does meanwhile."""

import csv
import io
import json
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.serving.page.conftest import Site
from tests.serving.page.fake_server import FLOWERS, Failing, png

pytestmark = pytest.mark.slow
Open = Callable[..., Site]

ROWS = ".batch-table tbody tr"


@pytest.fixture
def site(open_site: Open) -> Site:
    return open_site(view="batch")


def start(site: Site, *paths: str) -> None:
    site.pick(*paths)
    site.page.get_by_role("button", name="Start").click()


def wait_until_done(site: Site) -> None:
    site.page.wait_for_selector("progress")
    site.until("document.querySelector('progress').value === document.querySelector('progress').max")
    site.page.get_by_role("button", name="Clear").wait_for()


def expected_class(site: Site, i: int) -> str:
    row = site.fake.models[0].row("", png(i), 1)
    return str(row["class"])


def download(site: Site, name: str) -> tuple[str, str]:
    with site.page.expect_download() as found:
        site.page.get_by_role("button", name=name, exact=True).click()
    path = site.folder / "downloaded"
    found.value.save_as(path)
    return found.value.suggested_filename, path.read_text(encoding="utf-8")


def test_hundreds_of_images_are_asked_for_a_few_requests_at_a_time(site: Site) -> None:
    site.fake.seconds = 0.02
    start(site, *site.images(200))
    wait_until_done(site)
    assert site.text(".progress-words").startswith("200 of 200 images")
    counts = Counter(expected_class(site, i) for i in range(200))
    shown = {row.split()[0]: int(row.split()[1]) for row in site.texts(".counts li")}
    assert shown == dict(counts)
    assert len(site.asked("/predict")) == 13  # of 16 at most
    assert 2 <= site.fake.most_busy <= 4
    assert site.page.locator(ROWS).count() == 100
    site.page.get_by_role("button", name="Show 100 more").click()
    assert site.page.locator(ROWS).count() == 200


def test_a_busy_server_is_asked_again_after_the_time_it_gives(site: Site) -> None:
    site.expected = {503}
    site.fake.failures["/predict"] = [Failing(503, headers=(("Retry-After", "2"),))] * 3
    began = time.monotonic()
    start(site, *site.images(40))
    site.until("document.querySelector('.progress-words').textContent.includes('busy')")
    wait_until_done(site)
    assert time.monotonic() - began >= 2
    assert len(site.asked("/predict")) == 6
    assert not site.texts(f"{ROWS} .wrong")


def test_it_stops_and_goes_on_without_losing_an_image(site: Site) -> None:
    site.fake.seconds = 0.15
    start(site, *site.images(160))
    site.until("document.querySelector('progress').value >= 16")
    site.page.get_by_role("button", name="Stop").click()
    site.page.get_by_role("button", name="Go on").wait_for()
    done = site.page.evaluate("document.querySelector('progress').value")
    assert 16 <= done < 160
    site.page.wait_for_timeout(400)
    assert site.page.evaluate("document.querySelector('progress').value") == done
    site.page.get_by_role("button", name="Go on").click()
    wait_until_done(site)
    assert len(site.asked("/predict")) <= 10 + 4  # those that were stopped are sent anew
    site.page.get_by_role("button", name="Show 60 more").click()
    classes = site.page.locator(f"{ROWS} td:nth-child(3)").all_inner_texts()
    assert classes == [expected_class(site, i) for i in range(160)]


def test_unreadable_images_are_rows_with_a_reason(site: Site) -> None:
    start(site, site.file("broken.jpg", b"\xff\xd8 no"), *site.images(3))
    wait_until_done(site)
    assert "1 error" in site.text(".progress-words")
    assert site.texts(f"{ROWS}:first-child td, {ROWS}:first-child th")[1:] == [
        "broken.jpg",
        "is not an image of a kind that is read",
    ]
    site.page.get_by_label("State").select_option("error")
    assert site.page.locator(ROWS).count() == 1
    assert "1 of 4 images" in site.text(".batch-table > p")


def test_the_table_is_sorted_and_filtered(site: Site) -> None:
    start(site, *site.images(60))
    wait_until_done(site)
    site.page.get_by_role("button", name="Probability").click()
    shares = [float(text.split()[0]) for text in site.texts(f"{ROWS} .gauge")]
    assert shares == sorted(shares, reverse=True)
    assert site.page.locator("th[aria-sort=descending]").inner_text().startswith("Probability")
    site.page.get_by_role("button", name="Probability").click()
    assert [float(text.split()[0]) for text in site.texts(f"{ROWS} .gauge")] == sorted(shares)
    site.page.get_by_role("button", name="File").click()
    site.page.get_by_label("File name has").fill("-01")
    assert site.texts(f"{ROWS} th") == [f"image-0{i}.png" for i in range(10, 20)]
    site.page.get_by_label("File name has").fill("")
    chosen = site.page.locator(".counts button").first
    chosen.click()
    assert site.page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert set(site.texts(f"{ROWS} td:nth-child(3)")) == {site.text(".counts .name")}
    site.page.locator(".counts button").first.click()
    site.page.get_by_label("Probability up to").fill("80")
    assert all(float(text.split()[0]) <= 80 for text in site.texts(f"{ROWS} .gauge"))


def test_answers_are_taken_away_as_csv_that_no_spreadsheet_obeys(site: Site) -> None:
    start(site, site.file('=cmd("x"),1.png', png(0)), site.file("bad.png", b"no"), site.file("b.png", png(2)))
    wait_until_done(site)
    name, text = download(site, "CSV")
    assert name == "flowers-answers.csv"
    head, *rows = csv.reader(io.StringIO(text))
    assert head[:5] == ["path", "status", "reason", "class_1", "probability_1"]
    assert [row[:3] for row in rows] == [
        ['\'=cmd("x"),1.png', "ok", ""],
        ["bad.png", "error", "is not an image of a kind that is read"],
        ["b.png", "ok", ""],
    ]
    row = site.fake.models[0].row("", png(2), 5)
    assert rows[2][3::2] == [one["class"] for one in row["top"]]
    assert list(map(float, rows[2][4::2])) == [one["probability"] for one in row["top"]]


def test_answers_are_taken_away_as_json(site: Site) -> None:
    start(site, site.file("a.png", png(0)), site.file("bad.png", b"no"))
    wait_until_done(site)
    name, text = download(site, "JSON")
    assert name == "flowers-answers.json"
    tree = json.loads(text)
    assert tree["model"] == "flowers"
    assert tree["rows"][0] == site.fake.models[0].row("a.png", png(0), 5)
    assert tree["rows"][1] == site.fake.models[0].row("bad.png", b"no", 5)


def test_images_of_a_lost_request_are_asked_for_one_by_one(site: Site) -> None:
    site.expected = {500}
    site.fake.failures["/predict"] = [Failing(500, "not answered", "the worker has died")]
    start(site, *site.images(16))
    wait_until_done(site)
    assert "error" not in site.text(".progress-words")
    assert len(site.asked("/predict")) == 17


def test_an_image_that_loses_every_worker_is_an_error_and_can_be_asked_for_again(site: Site) -> None:
    site.expected = {500}
    site.fake.failures["/predict"] = [Failing(500, "not answered", "the worker has died")] * 3
    start(site, *site.images(1))
    site.page.get_by_role("button", name="Ask again for errors").wait_for()
    assert "the worker has died" in site.text(f"{ROWS} .wrong")
    site.page.get_by_role("button", name="Ask again for errors").click()
    site.until("!document.querySelector('.batch-table .wrong') && document.querySelector('.gauge')")


def test_a_request_that_is_too_large_is_made_smaller(site: Site) -> None:
    site.expected = {413}
    site.fake.failures["/predict"] = [Failing(413, "too large")]
    start(site, *site.images(8))
    wait_until_done(site)
    assert "error" not in site.text(".progress-words")


def test_a_server_that_is_gone_stops_the_batch_which_goes_on_later(site: Site) -> None:
    site.expected = {0}
    site.page.route("**/predict*", lambda route: route.abort("connectionrefused"))
    start(site, *site.images(20))
    assert "The server does not answer" in site.text(".note.failure")
    site.page.unroute("**/predict*")
    site.page.get_by_role("button", name="Start").click()
    wait_until_done(site)
    assert site.page.locator(".note.failure").count() == 0


def test_it_goes_on_while_other_views_are_looked_at(site: Site) -> None:
    site.fake.seconds = 0.05
    start(site, *site.images(100))
    site.page.get_by_role("link", name="Model").click()
    site.page.wait_for_selector(".view.model h2")
    site.page.get_by_role("link", name="Batch").click()
    wait_until_done(site)
    assert len(site.asked("/predict")) == 7


def test_another_classifier_answers_all_anew(site: Site) -> None:
    start(site, *site.images(5))
    wait_until_done(site)
    site.page.get_by_label("Classifier").select_option("many")
    site.page.get_by_role("button", name="Answer anew with many").click()
    site.until("document.querySelector('.counts .name')?.textContent.startsWith('class ')")
    assert json.loads(download(site, "JSON")[1])["model"] == "many"


def test_a_folder_gives_all_its_images_by_their_paths(site: Site) -> None:
    for name in ("daisy/a.png", "roses/b.png", "roses/.hidden.png"):
        site.file(f"photos/{name}", png(len(name)))
    site.page.set_input_files("#pick-folder", Path(site.folder / "photos"))
    site.page.get_by_role("button", name="Start").click()
    wait_until_done(site)
    assert sorted(site.texts(f"{ROWS} th")) == ["photos/daisy/a.png", "photos/roses/b.png"]


def test_clearing_leaves_nothing(site: Site) -> None:
    start(site, *site.images(3))
    wait_until_done(site)
    site.page.get_by_role("button", name="Clear").click()
    site.page.locator(".work").wait_for(state="hidden")
    assert re.search(r"Choose a folder", site.text(".drop"))
    assert set(FLOWERS) & set(site.texts(".counts .name")) == set()
