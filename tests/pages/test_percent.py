"""No share is shown rounded to certainty or to nothing, whoever writes it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import resnetkit
from resnetkit.pages.formatting import percent, percent_digits, plain_percent, set_percent

SOURCES = Path(resnetkit.__file__).parent
SHARES = (0.0, 1e-9, 1.1e-5, 4e-4, 0.0042, 0.07, 0.123456, 0.5, 0.93, 0.9942, 0.9996, 0.99989, 0.999999, 1 - 1e-12, 1.0)
DIGITS = (0, 1, 2)
SET = (0.05, 0.95, 0.9995, 0.999999, 0.07)


def number_in(text: str) -> float:
    return float(text.translate(str.maketrans("", "", "<>%\N{NO-BREAK SPACE} ")))


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("digits", [*DIGITS, None])
def test_a_share_between_is_shown_between(share: float, digits: int | None) -> None:
    for text in (percent(share, digits), plain_percent(share, digits), percent_digits(share, digits)):
        assert (number_in(text) > 0) == (share > 0)
        assert (number_in(text) < 100) == (share < 1)
        assert number_in(text) == pytest.approx(100 * share, abs=0.1 if digits is None else 10**-digits)
        if text.startswith(">"):
            assert 100 * share > number_in(text)
        if text.startswith("<"):
            assert 100 * share < number_in(text)


def test_what_was_set_as_percent_is_shown_as_it_was_set() -> None:
    assert [set_percent(share) for share in SET] == [
        "5 %", "95 %", "99.95 %", "99.9999 %", "7 %"
    ]  # fmt: skip


# Scripts of pages, each run as far as to be asked for its functions.
READ = """
import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";
const [report, ...modules] = JSON.parse(process.argv[1]);
Object.defineProperty(globalThis, "navigator", { value: { languages: ["en"] }, configurable: true });
globalThis.document = { documentElement: { lang: "en" } };
globalThis.localStorage = { getItem: () => null };
const given = { shares: %s, digits: %s, set: %s };
const inReport = runInThisContext(`${readFileSync(report)}; percent`);
const [served, exported] = await Promise.all(modules.map((path) => import(path)));
const all = (percent) => given.shares.map((share) => given.digits.map((digits) => percent(share, digits)));
const set = ({ setPercent }) => given.set.map(setPercent);
console.log(JSON.stringify({
  percent: [all(inReport), all(served.percent), all(exported.percent)], set: [set(served), set(exported)],
}));
"""


def test_scripts_of_pages_write_shares_as_python_does(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine")
    paths = [SOURCES / "runs/report_page/text.js"]
    for folder in ("serving/page", "exporting/web"):
        shutil.copytree(SOURCES / folder, tmp_path / folder)
        paths.append(tmp_path / folder / "words.js")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    script = READ % (json.dumps(SHARES), json.dumps(DIGITS), json.dumps(SET))
    done = subprocess.run(
        [node, "--input-type=module", "-e", script, json.dumps([str(path) for path in paths])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(re.sub(r"\\u2009|[\u2009\u00a0]", " ", done.stdout))
    expected = [[plain_percent(share, digits) for digits in DIGITS] for share in SHARES]
    assert said["percent"] == [expected] * 3
    assert said["set"] == [[set_percent(share) for share in SET]] * 2


def own_ways() -> Iterator[str]:
    """Places that write a share as percent by themselves."""
    ways = {
        ".py": r"\{100 \* [^{}]*:[^{}]*[fg]\} ?(?:%|\{)|:\.\d%",
        ".jinja": r'"%\.\d[fg]" *(?:%|\| *format) *\(100',
        ".js": r"\(100 \* [^`]*toFixed\(\w+\)[^`]*%",
    }
    allowed = {"pages/formatting.py", "runs/report_page/text.js", "serving/page/words.js", "exporting/web/words.js"}
    for path in sorted(SOURCES.rglob("*.*")):
        name = path.relative_to(SOURCES).as_posix()
        if path.suffix in ways and name not in allowed:
            for line in path.read_text(encoding="utf-8").splitlines():
                if re.search(ways[path.suffix], line) and "difference" not in line and "points" not in line:
                    yield f"{name}: {line.strip()}"


def test_shares_are_written_by_these_alone() -> None:
    assert not list(own_ways())
