"""The page of an audit: self-contained, escaped, small, and readable in a browser."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.audit.altered import picture, save, write_photos
from tests.html_page import HOSTILE, Page

from resnetkit.audit.auditing import audit_data
from resnetkit.audit.page import SHOWN_MARKS, render_page
from resnetkit.audit.subject import Subject
from resnetkit.audit.writing import write_audit


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    folder = write_photos(tmp_path / "photos")
    for number in range(30):
        save(picture(number), folder / "val/cat" / f"again{number}.png")
    (folder / "train/cat/broken.png").write_bytes(b"\x89PNG no more")
    return folder


def test_pairs_are_side_by_side_and_what_is_too_much_is_in_the_table(leaky: Path) -> None:
    audit = audit_data(str(leaky))
    page = Page("".join(render_page(audit, "resnetkit audit photos", "findings.csv")))
    assert not page.open, "every tag is closed"
    assert audit.counts["leaks"] == 24
    assert len([image for image in page.all("img") if "again" in image["alt"]]) >= SHOWN_MARKS
    assert f"{24 - SHOWN_MARKS} more are in findings.csv" in page.text
    assert "Leaks between splits" in page.text
    assert "broken.png" in page.text


def test_it_requests_nothing_and_hostile_names_stay_text(leaky: Path) -> None:
    audit = audit_data(str(leaky))
    html = "".join(render_page(audit, HOSTILE, HOSTILE))
    page = Page(html)
    assert len(page.all("script")) == 1
    assert HOSTILE in page.text
    for _, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src", "data:").startswith("data:")


def test_every_picture_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_photos(tmp_path / "photos")
    save(picture(4), folder / "val/cat/leak.png")
    audit, read = audit_data(str(folder)), list[int]()
    look = Subject.picture
    monkeypatch.setattr(Subject, "picture", lambda self, row, px: read.append(row) or look(self, row, px))
    list(render_page(audit, "resnetkit audit photos", "findings.csv"))
    assert len(read) == len(set(read)) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 400)])
def test_a_browser_shows_it_without_troubles(leaky: Path, tmp_path: Path, scheme: str, width: int) -> None:
    sync = pytest.importorskip("playwright.sync_api")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("looking at the page takes a browser: chromium was not found")
    told = (f"no score of {tmp_path}/{'long_name_without_a_gap' * 9}: not a run",)
    audit = audit_data(str(leaky))
    shortcut = replace(audit.findings[0], name="shortcuts", title="What predicts the class without the object")
    audit = replace(audit, findings=(*audit.findings, shortcut), remarks=told)
    write_audit(audit, tmp_path / "found", "resnetkit audit photos")
    with sync.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}).new_page()
        troubles: list[str] = []
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto((tmp_path / "found/report.html").as_uri())
        assert axe.run(page).violations_count == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert not troubles
        browser.close()
