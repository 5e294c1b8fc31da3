"""The page of explanations: self-contained, escaped, and written while images come."""

from collections.abc import Iterator

import pytest
from tests.explanation.explained import explained
from tests.runs.test_report import HOSTILE, Page

from resnetkit.explanation.explanation import Explanation
from resnetkit.explanation.page import START, Heading, render_page

HEADING = Heading("pets", ("grad_cam",), "resnetkit explain pets cat.png")


def page_of(*explanations: Explanation, heading: Heading = HEADING) -> tuple[str, Page]:
    html = "".join(render_page(heading, explanations))
    return html, Page(html)


def test_an_image_has_its_maps_its_classes_and_its_question() -> None:
    html, page = page_of(explained(names=tuple("abcdefG"), against="G"))
    assert html.startswith(START)
    assert not page.open, "every tag is closed"
    assert [image["alt"] for image in page.all("img")][1:] == [
        "What the network saw: cat.png",
        "Grad-CAM, stage2: cat.png",
    ]
    for said in ("a, 60.0 % sure", "Why a and not G", "a explained 60.0 %", "G compared with 10.0 %", HEADING.command):
        assert said in page.text
    assert "strongest: upper left, 100 % of it" in page.text
    assert len(page.all("tr")) == 6, "five classes, and the one that is compared with"


def test_an_unreadable_image_is_there_with_its_reason() -> None:
    _, page = page_of(explained(), Explanation("bad.png", "error", "is truncated"), explained())
    assert "Not read bad.png is truncated" in page.text
    assert len(page.all("section")) == 5


def test_it_requests_nothing_and_hostile_names_stay_text() -> None:
    heading = Heading(HOSTILE, ("grad_cam",), HOSTILE)
    rows = [explained(source=HOSTILE, names=(HOSTILE, "b", "c"), against="b"), Explanation(HOSTILE, "error", HOSTILE)]
    html, page = page_of(*rows, heading=heading)
    _, harmless = page_of(explained(against="dog"), Explanation("b", "error", "c"))
    for tag in ("script", "img", "style", "link", "svg"):
        assert len(page.all(tag)) == len(harmless.all(tag)), tag
    for _, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "style"):
            assert attributes.get(name, "data:").startswith("data:")
    assert HOSTILE in page.text, "braces are not evaluated either"
    assert "url(" not in html


def test_images_are_written_as_they_come() -> None:
    asked = []

    def many() -> Iterator[Explanation]:
        for number in range(20):
            asked.append(number)
            yield explained((8, 8))

    pieces = render_page(HEADING, many())
    while len(asked) < 3:
        next(pieces)
    assert asked == [0, 1, 2]


@pytest.mark.parametrize("name", ["\x1b[2J", "caf\udce9"])
def test_names_that_are_no_text_are_spelled_out(name: str) -> None:
    html, page = page_of(explained(source=name))
    html.encode()
    assert ascii(name)[1:-1] in page.text
