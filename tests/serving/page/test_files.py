"""The files of the server's page: small, self-contained, whole in both languages, and never reading text as HTML."""

import json
import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest

PAGE = Path(str(resources.files("resnetkit.serving") / "page"))
MAX_BYTES = 200_000
FILES = {path.name: path.read_text(encoding="utf-8") for path in sorted(PAGE.iterdir())}
SCRIPTS = {name: text for name, text in FILES.items() if name.endswith(".js")}
STYLES = {name: text for name, text in FILES.items() if name.endswith(".css")}
LANGUAGES = ("en.js", "zh.js")
CODE = "\n".join(text for name, text in SCRIPTS.items() if name not in LANGUAGES)
# Names that the page is given by others: states of a server, fields of JSON.
SAME = {"nav.api", "camera.other", "picture.alt", "images.lanczos"}  # in both languages
GIVEN_PREFIXES = ("training.", "limit.", "scores.")


def strings(language: str) -> dict[str, str | dict[str, str]]:
    text = SCRIPTS[language].removeprefix("export default ").rstrip().removesuffix(";")
    found: dict[str, str | dict[str, str]] = json.loads(text)
    return found


def forms(value: str | dict[str, str]) -> list[str]:
    return list(value.values()) if isinstance(value, dict) else [value]


def test_all_files_together_are_small() -> None:
    assert sum(path.stat().st_size for path in PAGE.iterdir()) <= MAX_BYTES
    assert {Path(name).suffix for name in FILES} == {".html", ".css", ".js"}


@pytest.mark.parametrize("name", FILES)
def test_no_file_names_another_origin(name: str) -> None:
    addresses = set(re.findall(r"https?://[^\s\"'`)]+|(?<![:\w])//\w[\w.-]+\.\w+", FILES[name]))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert "@import" not in FILES[name]


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_reads_text_as_html_or_code(name: str) -> None:
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc|\beval\b|"
    ways += r"new Function|setHTML|\bimport\("
    assert not re.findall(ways, SCRIPTS[name])


def test_the_page_has_no_script_or_style_of_its_own() -> None:
    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            given = dict(attrs)
            assert "style" not in given, tag
            assert not [name for name in given if name.startswith("on")], tag
            assert tag != "style"
            assert tag != "script" or given["src"], "inline"
            for name in ("src", "href"):
                value = given.get(name) or ""
                if value.startswith("static/"):
                    assert value.removeprefix("static/") in FILES

    Parser().feed(FILES["index.html"])


def test_imports_are_there() -> None:
    exported = {
        name: set(re.findall(r"^export (?:async )?(?:const|function\*?|class) (\w+)", text, re.MULTILINE))
        for name, text in SCRIPTS.items()
    }
    reached = {"app.js", "boot.js"}
    for name, text in SCRIPTS.items():
        imports = re.findall(r"^import (\{[^}]*\}|\w+) from \"\./([\w.]+)\";", text, re.MULTILINE)
        assert len(imports) == len(re.findall(r"^import\b", text, re.MULTILINE)), name
        for names, source in imports:
            reached.add(source)
            wanted = set(re.findall(r"\w+", names)) if names.startswith("{") else set()
            assert wanted <= exported[source], f"{name} wants of {source}"
            body = re.sub(r"^import .*$", "", text, flags=re.MULTILINE)
            assert not [one for one in wanted if not re.search(rf"\b{one}\b", body)], f"{name} does not use"
    assert reached == set(SCRIPTS)


def test_both_languages_say_the_same() -> None:
    english, chinese = map(strings, LANGUAGES)
    assert list(english) == list(chinese)
    for key, value in english.items():
        wanted = set().union(*(re.findall(r"\{\w+\}", form) for form in forms(value)))
        for form in forms(chinese[key]):
            assert set(re.findall(r"\{\w+\}", form)) == wanted, key
        assert isinstance(value, dict) == isinstance(chinese[key], dict), key
        if isinstance(value, dict):
            assert set(value) == {"one", "other"}, key
            assert set(chinese[key]) == {"other"}, key  # which Chinese has alone
    same = [key for key, value in english.items() if value == chinese[key]]
    assert set(same) <= SAME


def test_every_text_is_there_and_used() -> None:
    known = set(strings("en.js"))
    literal = set(re.findall(r"\"([a-z_0-9]+(?:\.[a-z_0-9]+)*)\"", CODE)) & known
    asked = set(re.findall(r"\bt\(\s*\"([^\"]+)\"", CODE))
    assert asked <= known
    chosen = set(re.findall(r"\bt\([^()\"`]*\? \"([\w.]+)\" : \"([\w.]+)\"", CODE))
    assert {key for pair in chosen for key in pair} <= known
    prefixes = {*re.findall(r"\bt\(`([\w.]+)\$\{", CODE), *GIVEN_PREFIXES}
    for prefix in prefixes:
        assert any(key.startswith(prefix) for key in known), prefix
    assert not {key for key in known - literal if not key.startswith(tuple(prefixes))}, "texts that nobody reads"


def test_ids_that_are_asked_for_are_there() -> None:
    given = set(re.findall(r"\bid[=:] ?\"([\w-]+)\"", FILES["index.html"] + CODE))
    asked = set(re.findall(r"getElementById\(\"([\w-]+)\"\)", CODE))
    asked |= set(re.findall(r"(?:aria-labelledby|aria-describedby|for)\"?: \"([\w-]+)\"", CODE))
    assert asked <= given


def test_styles_are_of_what_is_there() -> None:
    styled = set()
    for text in STYLES.values():
        rules = re.sub(r"/\*.*?\*/|\{[^{}]*\}", " ", text, flags=re.DOTALL)
        styled |= set(re.findall(r"\.(-?[a-z][\w-]*)", rules))
    used = set(re.findall(r"[\w-]+", CODE + FILES["index.html"]))
    assert styled <= used


def test_the_colours_are_those_of_all_pages() -> None:
    table = resources.files("resnetkit.pages").joinpath("colours.jinja").read_text()
    ours = {
        name: (light, dark)
        for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", FILES["base.css"])
    }
    theirs = {
        name: (light, dark) for name, light, dark in re.findall(r"\"([\w-]+)\": \(\"(#\w+)\", \"(#\w+)\"\)", table)
    }
    shared = set(ours) & set(theirs)
    assert {"paper", "ink", "right", "wrong"} <= shared
    assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}
