"""The docs site has all pages, and no link on them leads nowhere; no generator is needed to know that."""

import re
import tomllib
from typing import Any

import pytest
from docs import reference
from docs.make_site import FILES, PAGES, ROOT, config, find_files

import resnetkit
from resnetkit.cli.app import COMMANDS, GROUPS

NAMES = find_files(*PAGES)
ON_SITE = {*NAMES, *find_files(*FILES)}
REFERENCE = {"reference/commands.md", "reference/python.md"}


def navigated(entries: list[Any]) -> list[str]:
    """The pages of a navigation, in order."""
    pages = []
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else (entry,):
            pages += navigated(value) if isinstance(value, list) else [value]
    return pages


def anchors(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_navigation_once() -> None:
    pages = navigated(tomllib.loads(config())["project"]["nav"])
    assert sorted(pages) == sorted({*NAMES, *REFERENCE})


def test_its_style_is_there() -> None:
    """A style that is missing is no error of the generator's."""
    styles = tomllib.loads(config())["project"]["extra_css"]
    assert styles
    assert set(styles) <= ON_SITE


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text()
    targets = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'(?:src|srcset|href)="([^"]+)"', text)]
    for target in (target for target in targets if "://" not in target):
        path, _, anchor = target.partition("#")
        linked = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert linked.is_file(), target
        assert linked.relative_to(ROOT).as_posix() in ON_SITE, target
        assert not anchor or anchor in anchors(linked.read_text()), target


def test_the_reference_has_all_commands() -> None:
    text = reference.commands()
    for name in (*(command.__name__.replace("_", "-") for command in COMMANDS), *GROUPS):
        assert f"\n## resnetkit {name}\n" in text
    assert "| `-m, --model <str>` |" in text
    assert "\b" not in text


def test_the_reference_has_all_public_names() -> None:
    text = reference.python()
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == resnetkit.__all__
    assert "\n### Predictor.predict\n" in text
    prose = re.sub(r"```python\n.*?```", "", text, flags=re.DOTALL)
    assert not re.findall(r":\w+:`|``|>>>", prose)
