"""The machine at hand, and machines with GPUs as far as they can be told without one."""

import pytest
import torch

from resnetkit import runtime
from resnetkit.errors import ResnetkitError
from resnetkit.training.distributed import local_device_name


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(("name", "index"), [("auto", 0), ("cuda", 0), ("cuda:1", 1)])
def test_a_gpu_has_its_number(name: str, index: int) -> None:
    # torch.cuda.set_device refuses a device without one.
    assert runtime.find_device(name) == torch.device("cuda", index)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("name", ["cuda:2", "meta", "mps", "gpu", "cuda:", ""])
def test_other_devices_are_refused(name: str) -> None:
    with pytest.raises(ResnetkitError, match="device"):
        runtime.find_device(name)


@pytest.mark.parametrize(
    ("name", "own"), [("auto", "cuda:1"), ("cuda", "cuda:1"), ("cuda:0", "cuda:0"), ("cpu", "cpu")]
)
def test_each_of_several_processes_takes_a_gpu_of_its_own(
    monkeypatch: pytest.MonkeyPatch, two_gpus: None, name: str, own: str
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert local_device_name(name) == own


def test_without_gpus_all_processes_share_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert local_device_name("auto") == "auto"
    assert runtime.find_device("auto") == torch.device("cpu")
