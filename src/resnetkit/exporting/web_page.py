"""The page that classifies in a browser, written beside a model and its description; nothing of it is built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from resnetkit.exporting import page_server
from resnetkit.files import write_durably
from resnetkit.pages.templates import fill_template

FILES = Path(__file__).with_name("web")
INDEX = "index.html"
MODEL_FILE = "model.onnx"
STYLE = "style.css"


def write_page(folder: Path, runtime: Mapping[str, bytes]) -> None:
    """Write the page into a folder that has, or will have, ``model.onnx`` and ``classifier.json``.

    The page gives the model one ``image``, uint8 ``(H, W, C)``, and reads ``probabilities`` and ``logits``; of the
    description it reads ``name``, ``class_names``, ``preprocessing``, ``decision`` and ``limits``.

    Args:
        runtime: as :func:`resnetkit.exporting.web_runtime.read_runtime` gives it.
    """
    write_durably(folder / INDEX, (FILES / INDEX).read_bytes())
    for file in FILES.glob("*.js"):
        write_durably(folder / "page" / file.name, file.read_bytes())
    style = fill_template(f"exporting/web/{STYLE}.jinja")
    write_durably(folder / "page" / STYLE, style.encode())
    for name, content in runtime.items():
        write_durably(folder / "runtime" / name, content)
    write_durably(folder / "serve.py", Path(page_server.__file__).read_bytes())
