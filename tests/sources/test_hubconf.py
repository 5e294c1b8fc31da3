"""The catalog through ``torch.hub``, from this folder."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from resnetkit.errors import ResnetkitError
from resnetkit.models.catalog import CATALOG
from resnetkit.models.resnet import create_model

ROOT = str(Path(__file__).parents[2])


def load(name: str, **arguments: Any) -> Any:
    return torch.hub.load(ROOT, name, source="local", **arguments)


def test_every_name_of_the_catalog_is_an_entry_point_and_nothing_else() -> None:
    found = runpy.run_path(f"{ROOT}/hubconf.py")
    entry_points = {name: value for name, value in found.items() if callable(value) and not name.startswith("_")}
    assert set(entry_points) == set(CATALOG)  # by the rule of torch.hub.list
    assert CATALOG["resnet50"].summary in entry_points["resnet50"].__doc__


def test_a_network_is_made_as_by_create_model() -> None:
    network = load("resnet20", num_classes=7, in_channels=1)
    assert network.spec == create_model("resnet20", num_classes=7, in_channels=1).spec


def test_weights_are_those_of_a_given_file_alone(tmp_path: Path) -> None:
    saved = create_model("resnet20_b", num_classes=5)
    torch.save(saved.state_dict(), tmp_path / "weights.pth")
    loaded = load("resnet20_b", num_classes=5, weights=str(tmp_path / "weights.pth")).state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in saved.state_dict().items())
    with pytest.raises(ResnetkitError, match="no weights are published with resnet20_b") as raised:
        load("resnet20_b", pretrained=True)
    assert 'weights="FILE"' in raised.value.fix
    with pytest.raises(ResnetkitError, match=r"nowhere\.pth"):
        load("resnet20_b", weights="nowhere.pth")


@pytest.mark.slow
def test_the_package_beside_the_file_serves_where_none_is_installed() -> None:
    """Without site-packages of this project: ``-S`` leaves editable installs out, the libraries' folders are added."""
    code = (
        f"import sys; sys.path[:] = [p for p in sys.path if not p.rstrip('/').endswith('src')] + {libraries()!r}\n"
        f"import torch; network = torch.hub.load({ROOT!r}, 'resnet20', source='local')\n"
        "import resnetkit; print(resnetkit.__file__, len(network.state_dict()) > 0, sys.path.count(''))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, env={}, cwd="/")
    assert done.stdout.startswith(f"{ROOT}/src/resnetkit/__init__.py True"), done.stderr


def libraries() -> list[str]:
    return [str(Path(torch.__file__).parents[1])]
