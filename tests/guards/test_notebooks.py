"""The notebooks of docs/notebooks run from top to bottom, download nothing, and are committed without outputs."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from tests.html_page import Page

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
PLACES = [ROOT / "README.md", ROOT / "docs" / "lessons" / "README.md", ROOT / "docs" / "from-python.md"]

parametrized = pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in NOTEBOOKS])


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_is_one_for_learners_and_one_for_practitioners() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["learner", "practitioner"]
    for place in PLACES:
        for path in NOTEBOOKS:
            assert path.name in place.read_text(), (place, path)


@parametrized
def test_they_are_whole_without_outputs_and_their_links_lead_somewhere(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].source.startswith("# ")
    for cell in code_cells(notebook):
        assert (cell.outputs, cell.execution_count) == ([], None)
    for cell in notebook.cells:
        for target in re.findall(r"\]\(([^)]+)\)", cell.source if cell.cell_type == "markdown" else ""):
            assert (path.parent / target).exists(), target


@pytest.mark.slow
@parametrized
def test_they_run_and_show_every_value(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # where nobody answers
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    notebook = nbformat.read(path, as_version=4)
    place = tmp_path / "place"
    place.mkdir()
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(place)}}).execute()
    shown = [output.data["text/html"] for cell in code_cells(notebook) for output in cell.outputs if "data" in output
             if output.data.get("text/html")]  # fmt: skip
    assert len(shown) >= 6
    assert all('class="resnetkit"' in html and Page(html).open == [] for html in shown)
    assert sum(map(len, shown)) < 400_000
    trained = [html for html in shown if "training loss" in html]
    assert trained
    assert all("finished" in html and "<progress" not in html for html in trained)
    assert not [output for cell in code_cells(notebook) for output in cell.outputs if output.get("name") == "stderr"]
