"""Files of an exported page: all there, all its own, in both languages, and under a policy that lets nothing out."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.request import urlopen

import pytest

from resnetkit.exporting import page_server, web_page
from resnetkit.exporting.web_page import write_page

SOURCES = {path.name: path.read_text() for path in web_page.FILES.glob("*") if path.suffix in (".html", ".js")}


class Read(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


INDEX = Read(SOURCES["index.html"]).tags


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_page(tmp_path, {"runtime.wasm": b"\0asm", "LICENSE": b"as you like"})
    return tmp_path


def test_all_that_the_page_and_its_scripts_name_is_there(folder: Path) -> None:
    named = [attributes.get("src") or attributes.get("href") for tag, attributes in INDEX if tag in ("script", "link")]
    assert {"page/page.js", "page/style.css"} <= set(named)
    assert all((folder / str(path)).is_file() for path in named if not str(path).startswith("data:"))
    for name, text in SOURCES.items():
        for imported in re.findall(r'(?:from|import) "\./([^"]+)"', text) + re.findall(r'URL\("(\w+\.js)"', text):
            assert (folder / "page" / imported).is_file(), f"{name} imports {imported}"
    assert (folder / "runtime/runtime.wasm").read_bytes() == b"\0asm"
    assert (folder / "runtime/LICENSE").read_bytes() == b"as you like"


def test_the_policy_lets_nothing_come_or_go_but_from_and_to_the_own_server() -> None:
    (policy,) = (
        attributes["content"] for tag, attributes in INDEX
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )  # fmt: skip
    allowed = dict(part.strip().split(" ", 1) for part in str(policy).split(";"))
    assert allowed["default-src"] == "'none'"
    assert allowed["connect-src"] == "'self'"
    assert allowed["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert allowed["form-action"] == allowed["base-uri"] == "'none'"
    sources = {source for value in allowed.values() for source in value.split()}
    assert sources == {"'none'", "'self'", "'wasm-unsafe-eval'", "blob:", "data:"}
    # It stands before all that it is to hold for.
    positions = [position for position, (tag, _) in enumerate(INDEX) if tag in ("script", "link")]
    assert min(positions) > INDEX.index(("meta", {"http-equiv": "Content-Security-Policy", "content": policy}))


def test_nothing_is_written_as_html_and_no_other_address_is_named() -> None:
    for name, text in SOURCES.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            name
        )
        assert not re.search(r"""["'`(]\s*(?:https?:|wss?:)?//\w""", text), name


def test_both_languages_say_the_same_things_and_all_that_the_page_asks_for() -> None:
    english, chinese = (
        set(re.findall(r"^  (\w+):", re.split(r"^};", part, flags=re.MULTILINE)[0], re.MULTILINE))
        for part in re.split(r"^const (?:ENGLISH|CHINESE) = ", SOURCES["words.js"], flags=re.MULTILINE)[1:]
    )
    assert english == chinese
    asked = {str(attributes["data-words"]) for _, attributes in INDEX if "data-words" in attributes}
    for text in SOURCES.values():
        asked |= set(re.findall(r'(?:write\([^()]*(?:\(.*?\))?, |words\(|Refused\()"(\w+)"', text))
    assert len(asked) > 15
    assert asked <= english


def test_the_server_is_short_and_sends_the_two_headers(folder: Path) -> None:
    text = (folder / "serve.py").read_text()
    assert text == Path(page_server.__file__).read_text()
    assert len(text.splitlines()) < 40
    with subprocess.Popen([sys.executable, "-I", folder / "serve.py", "0"], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            with urlopen(f"{address}/page/page.js") as answer:
                assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
                assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
                assert answer.headers["Content-Type"].startswith("text/javascript")
                assert answer.read().decode() == SOURCES["page.js"]
        finally:
            process.terminate()
