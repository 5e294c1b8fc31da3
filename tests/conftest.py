"""What every test starts from: one thread, a fixed seed, repeatable random examples."""

from pathlib import Path

import pytest
import torch
from hypothesis import settings

# The networks here are tiny: a second thread costs more than it gives, and several test processes share the machine.
torch.set_num_threads(1)

# The same examples every time, and no folder of remembered ones.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the test: nothing is in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
