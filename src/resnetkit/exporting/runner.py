"""Answer for images with an export as its users will: in a process of its own, by the folder's ``predict.py``.

A script, run by its path with ``python -I``: this package cannot be imported in it, nor what an export does without. It
imports nothing of the project and prints a line after each image, by which others see that it goes on.
"""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any


def main(folder: Path, asked: Path, answers: Path) -> None:
    """Write what the export in ``folder`` answers for the image files that ``asked`` lists.

    Args:
        asked: JSON with ``paths``, and ``absent``: packages that cannot be imported.
        answers: the file of arrays to write.
    """
    request = json.loads(asked.read_text())
    sys.modules |= dict.fromkeys(request["absent"])  # Python's way to say: not to be found
    predict = _load(folder / "predict.py")
    import numpy as np

    answer = predict.open_model()
    decide = getattr(predict, "decide", lambda *numbers: ("ok", None))  # a classifier without thresholds has none
    rows: dict[str, list[Any]] = {"probabilities": [], "logits": [], "positions": [], "statuses": [], "sets": []}
    refused = {}
    for position, path in enumerate(request["paths"]):
        try:
            image = predict.read_image(path)
        except Exception as error:
            refused[position] = f"cannot be read ({' '.join(str(error).split()) or type(error).__name__})"
        else:
            probabilities, logits = answer(image)
            status, in_set = decide(probabilities, logits)
            for name, value in zip(rows, (probabilities, logits, position, status, in_set), strict=True):
                rows[name].append(value)
        print(position, flush=True)
    sets = [np.isin(np.arange(len(rows["probabilities"][0])), [] if one is None else one) for one in rows["sets"]]
    makes_sets = any(one is not None for one in rows["sets"])
    said = {"refused": refused, "versions": _versions(), "makes_sets": makes_sets}
    with answers.open("xb") as file:
        np.savez(
            file,
            probabilities=np.array(rows["probabilities"], np.float32),
            logits=np.array(rows["logits"], np.float32),
            positions=np.array(rows["positions"], np.int64),
            statuses=np.array(rows["statuses"], np.str_),
            in_set=np.array(sets, np.bool_),
            said=np.frombuffer(json.dumps(said).encode(), np.uint8),
        )


def _load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("predict", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _versions() -> dict[str, str]:
    """Versions of Python and of the packages that took part."""
    names = ("numpy", "PIL", "onnxruntime", "openvino", "torch")
    used = {name: sys.modules.get(name) for name in names}
    found = {name: str(getattr(module, "__version__", "")) for name, module in used.items() if module is not None}
    return {"python": sys.version.split()[0], **found}


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
