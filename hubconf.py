"""The named networks for ``torch.hub``: every name of the catalog is an entry point.

>>> network = torch.hub.load("path/to/this/folder", "resnet50", source="local", num_classes=10)  # doctest: +SKIP
>>> network = torch.hub.load(…, "resnet50", source="local", weights="resnet50.pth")  # doctest: +SKIP

Arguments are those of :func:`resnetkit.create_model`. Weights are those of a run, a classifier or a file that is given;
nothing is downloaded but what ``weights="hf://OWNER/NAME"`` asks for.
"""

import functools as _functools
import sys as _sys
from pathlib import Path as _Path

_SOURCE = str(_Path(__file__).parent / "src")
_sys.path.insert(0, _SOURCE)  # the package beside this file, though it may not be installed
try:
    from resnetkit import create_model as _create_model
    from resnetkit.errors import require as _require
    from resnetkit.models.catalog import CATALOG as _CATALOG
finally:
    _sys.path.remove(_SOURCE)

dependencies = ["torch", "numpy", "pydantic", "safetensors"]


def _create(name, *, pretrained=False, **arguments):  # type: ignore[no-untyped-def]
    _require(
        not pretrained,
        f"no weights are published with {name}",
        fix='give a file: weights="FILE", which may be of torchvision, timm or others, or a run',
    )
    return _create_model(name, **arguments)


for _name, _entry in _CATALOG.items():
    _entry_point = _functools.partial(_create, _name)
    _entry_point.__doc__ = f"{_entry.summary}; arguments: resnetkit.create_model"
    globals()[_name] = _entry_point
