"""What is shipped is whole, and what the files around the code say is true."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/resnetkit"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WORK = {"bench", "dev", "docs"}
INSTALL = (ROOT / "docs/install.md").read_text()


def shipped_files() -> set[str]:
    return {
        path.relative_to(ROOT / "src").as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_each_folder_with_code_is_a_package_and_each_other_file_is_package_data() -> None:
    assert not [
        folder for folder in {path.parent for path in SOURCE.rglob("*.py")} if not (folder / "__init__.py").exists()
    ]
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["resnetkit"]
    matched = [{path.relative_to(ROOT / "src").as_posix() for path in SOURCE.glob(pattern)} for pattern in patterns]
    assert all(matched), "a pattern matches nothing"
    assert {name for name in shipped_files() if not name.endswith(".py")} == set().union(*matched)


@pytest.mark.slow
def test_the_archive_and_the_wheel_built_from_it_hold_all(tmp_path: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode != 0:
        pytest.skip("not a checkout of git")
    names = [name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]
    for name in names:
        (tmp_path / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "copy" / name).write_bytes((ROOT / name).read_bytes())

    def build(kind: str, folder: Path) -> Path:
        code = f"from setuptools import build_meta; print(build_meta.build_{kind}({str(tmp_path)!r}))"
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return tmp_path / done.stdout.split()[-1]

    with tarfile.open(build("sdist", tmp_path / "copy")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    left_out = {name for name in names if not (unpacked / name).exists()}
    assert not {name for name in left_out if not name.startswith(".")}, "of use to those who build from the archive"
    with zipfile.ZipFile(build("wheel", unpacked)) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == shipped_files()


def test_constraints_pin_what_is_asked_for() -> None:
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    }
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [
        *PROJECT["project"]["dependencies"],
        *(text for name in extras if name != "bench" for text in extras[name]),
    ]
    names = {re.split(r"[\[><= ]", text)[0].lower().replace("_", "-") for text in wanted}
    assert names - pinned == {"torch", "torchvision", "resnetkit"}


def test_each_extra_is_documented_and_they_are_sorted() -> None:
    (section,) = re.findall(r"## Extras\n(.*?)\n## ", INSTALL, re.DOTALL)
    extras = PROJECT["project"]["optional-dependencies"]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(extras)
    for wanted in extras.values():
        own = [text for text in wanted if text.startswith("resnetkit")]
        assert all(inner in extras for text in own for inner in text.removeprefix("resnetkit[").rstrip("]").split(","))
    assert list(extras) == [*sorted(set(extras) - WORK), *sorted(WORK)]


def test_the_demo_installs_what_it_uses_and_the_tests_the_rest() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "$(ALONE): WANTED := .\n" in makefile
    assert "$(WITH_TOOLS): WANTED := .[dev]\n" in makefile
    assert re.search(r"^demo: .*\$\(ALONE\)", makefile, re.MULTILINE)
    for target in ("test", "test-all", "lint", "format", "lessons", "dist"):
        assert re.search(rf"^{target}: \$\(WITH_TOOLS\)$", makefile, re.MULTILINE), target


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == PROJECT["project"]["version"]
    assert citation["license"] == PROJECT["project"]["license"]


@pytest.mark.parametrize("name", ["bug", "idea"])
def test_forms_for_issues_can_be_filled_in(name: str) -> None:
    form = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text())
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    names = [field["id"] for field in fields]
    assert len(names) == len(set(names))
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_the_container_is_pinned_and_runs_as_no_root() -> None:
    text = re.sub(r"^#.*\n|\\\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line.partition(" ")[::2] for line in text.splitlines() if line]
    images = [value.split()[0] for word, value in lines if word == "FROM"]
    assert images
    assert not [image for image in images if ":" not in image or image.endswith(":latest")]
    last = max(i for i, (word, _) in enumerate(lines) if word == "FROM")
    final = dict(lines[last:])
    assert int(final["USER"]) > 0, "a number, so that hosts can tell that it is not root"
    assert (final["ENTRYPOINT"], final["CMD"]) == ('["resnetkit"]', '["--help"]')
    assert ("ARG", "DEVICE=cpu") in lines
    assert not [value for word, value in lines if word == "ADD" or "sudo" in value]
    (torch,) = [wanted for wanted in PROJECT["project"]["dependencies"] if re.match(r"torch\W", wanted)]
    assert f'"{torch}"' in text
    (python,) = [value.removeprefix("PYTHON=") for word, value in lines if value.startswith("PYTHON=")]
    assert f"Programming Language :: Python :: {python}" in PROJECT["project"]["classifiers"]


def test_the_container_gets_what_building_needs() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert kept == {
        "src",
        "pyproject.toml",
        "constraints.txt",
        PROJECT["project"]["readme"],
        *PROJECT["project"]["license-files"],
    }
    assert all((ROOT / name).exists() for name in kept)
