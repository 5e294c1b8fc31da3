"""Unknown and unsure images and sets of classes on the page: said plainly wherever an answer is shown."""

import csv
import io
import json
import zlib
from collections.abc import Callable

import pytest
from tests.serving.page.conftest import Site
from tests.serving.page.fake_server import png
from tests.serving.page.test_batch import download, start, wait_until_done

pytestmark = pytest.mark.slow
Open = Callable[..., Site]
STATUSES = ("unknown", "unsure", "ok", "ok")


def doubt(site: Site) -> list[dict[str, object]]:
    """Have the server doubt the first two images; the rows of four."""
    model = site.fake.models[0]
    model.doubts = {zlib.crc32(png(i)): status for i, status in enumerate(STATUSES) if status != "ok"}
    model.makes_sets = True
    return [model.row("", png(i), 5) for i in range(4)]


def test_a_tried_image_is_said_to_be_unknown_or_unsure_and_has_its_set(site: Site) -> None:
    rows = doubt(site)
    site.pick(*site.images(4))
    site.page.locator(".card .verdict").nth(3).wait_for()
    cards = {site.page.locator(".card h2").nth(i).inner_text(): site.texts(".card")[i] for i in range(4)}
    for i, row in enumerate(rows):
        text = cards[f"image-{i:03}.png"]
        assert ("like none of the classes" in text) == (row["status"] == "unknown")
        assert ("No class is probable enough" in text) == (row["status"] == "unsure")
        assert (f"One of: {', '.join(row['set'])}" in text) == (row["status"] != "unknown")  # type: ignore[arg-type]
    why = site.page.locator(".card", has_text="Unknown").get_by_role("button", name="Why?")
    why.click()
    site.page.wait_for_selector(".explanation .question")


def test_a_batch_ends_and_counts_them_and_its_files_hold_them(open_site: Open) -> None:
    site = open_site(view="batch")
    rows = doubt(site)
    start(site, *site.images(4))
    wait_until_done(site)
    words = site.text(".progress-words")
    assert "4 of 4 images" in words
    assert "1 unknown" in words
    assert "1 unsure" in words
    table = site.texts(".batch-table tbody tr")
    assert [line for line in table if "Unknown" in line]
    assert [line for line in table if "Unsure" in line]
    site.page.get_by_label("State").select_option("unknown")
    assert len(site.texts(".batch-table tbody tr")) == 1
    _, text = download(site, "CSV")
    found = list(csv.DictReader(io.StringIO(text)))
    assert [row["status"] for row in found] == list(STATUSES)
    assert [json.loads(row["set"]) for row in found] == [row["set"] for row in rows]
    _, text = download(site, "JSON")
    assert [row["class"] for row in json.loads(text)["rows"]] == [row["class"] for row in rows]


def test_the_model_says_what_it_does_not_answer(open_site: Open) -> None:
    plain = open_site(view="model")
    assert "What it does not answer" not in plain.text("main")
    assert "It always answers with one of its classes" in plain.text("main")
    doubt(plain)
    plain.page.reload()
    plain.page.wait_for_selector(".view.model h1")
    text = plain.text("main")
    assert "5 % of images of its classes may be called so" in text
    assert "of the others 99 % are to be right" in text
    assert "true one for 95 % of images" in text
    assert "It always answers" not in text
