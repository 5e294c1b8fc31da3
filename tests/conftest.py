"""What every test starts from: one thread, a fixed seed, repeatable random examples; and how peers are imported."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hypothesis import settings
from tests.fake_hub import fake_hub
from tests.file_server import file_server
from tests.small_classifiers import make, noise
from tests.small_runs import fine_settings, pretrained, tiny_settings
from tests.small_weights import small_table, store

from resnetkit.sources import weight_store

__all__ = [  # fixtures of many rooms
    "fake_hub",
    "file_server",
    "fine_settings",
    "make",
    "noise",
    "pretrained",
    "small_table",
    "store",
    "tiny_settings",
]

# The networks here are tiny: a second thread costs more than it gives, and several test processes share the machine.
torch.set_num_threads(1)

# The same examples every time, and no folder of remembered ones.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")

_kept: list[torch.library.Library] = []  # operators live as long as their library


def import_torchvision() -> ModuleType | None:
    """torchvision, also beside a torch that its compiled operators were not built for; None where it is not there.

    What imports it in turn, as timm and transformers do, can be imported afterwards.
    """
    try:
        return importlib.import_module("torchvision")
    except ModuleNotFoundError:
        return None
    except RuntimeError:
        # Its compiled operators did not load, and importing it asks for these two, which no network here calls.
        operators = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(operators)
        return importlib.import_module("torchvision")


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_weights_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training on photographs starts afresh, whatever this machine has."""
    monkeypatch.setattr(weight_store, "store_folder", lambda: Path("/nowhere/weights"))
    monkeypatch.delenv(weight_store.VARIABLE, raising=False)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the test: nothing is in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
