"""The intervals that the page computes are those of the scores, their ends too."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import resnetkit
from resnetkit.evaluation.metrics import wilson_interval
from resnetkit.pages.formatting import percent_digits

PAGE = Path(resnetkit.__file__).parent / "serving" / "page"
COUNTS = [(0, 1), (0, 69), (0, 161), (1, 1), (4, 4), (14, 14), (50, 50), (1, 2), (81, 263), (999, 1000)]
SCRIPT = """
Object.defineProperty(globalThis, "navigator", { value: { languages: ["en"] }, configurable: true });
globalThis.document = { documentElement: { lang: "en" } };
globalThis.localStorage = { getItem: () => null };
const [folder, counts] = JSON.parse(process.argv[1]);
const { wilson } = await import(`${folder}/threshold.js`);
const { percentDigits } = await import(`${folder}/words.js`);
const told = counts.map(([correct, n]) => wilson(correct, n).map((end) => percentDigits(end, 2)));
console.log(JSON.stringify(told));
"""


def test_ends_are_what_python_makes_of_them(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine")
    folder = shutil.copytree(PAGE, tmp_path / "page")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    given = json.dumps([str(folder), COUNTS])
    done = subprocess.run(
        [node, "--input-type=module", "-e", SCRIPT, given],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.replace("\u2009", " "))
    assert told == [[percent_digits(end, 2) for end in wilson_interval(*counts)] for counts in COUNTS]
