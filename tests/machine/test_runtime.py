"""The machine at hand, and machines with GPUs as far as they can be told without one."""

from typing import Literal

import pytest
import torch

from resnetkit.errors import ResnetkitError
from resnetkit.machine import device, runtime
from resnetkit.machine.device import exact_float32, find_device
from resnetkit.training.distributed import local_device_name


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(("name", "index"), [("auto", 0), ("cuda", 0), ("cuda:1", 1)])
def test_a_gpu_has_its_number(name: str, index: int) -> None:
    # torch.cuda.set_device refuses a device without one.
    assert find_device(name) == torch.device("cuda", index)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("name", ["cuda:2", "meta", "mps", "gpu", "cuda:", ""])
def test_other_devices_are_refused(name: str) -> None:
    with pytest.raises(ResnetkitError, match="device"):
        find_device(name)


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
    assert find_device("auto") == torch.device("cpu")


@pytest.mark.parametrize(
    ("has_amx", "precision", "bf16"),
    [
        (True, "auto", True),
        (False, "auto", False),
        (True, "fp32", False),
        (False, "bf16", True),
    ],
)
def test_bf16_is_chosen_where_it_is_fast(
    monkeypatch: pytest.MonkeyPatch, has_amx: bool, precision: Literal["auto", "fp32", "bf16"], bf16: bool
) -> None:
    monkeypatch.setattr(device, "multiplies_bf16_fast", lambda: has_amx)
    computing = runtime.start("cpu", precision=precision)
    assert computing.bf16 is bf16
    assert ("bf16" if bf16 else "float32") in str(computing)
    assert any("no faster" in note for note in computing.notes) is (bf16 and not has_amx)


@pytest.mark.parametrize(("count", "words"), [(1, "1 thread"), (2, "2 threads")])
def test_what_is_computed_with_is_told(monkeypatch: pytest.MonkeyPatch, count: int, words: str) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: count)
    assert str(runtime.Runtime(torch.device("cpu"), bf16=True, compile=False)) == f"cpu, bf16, {words}"
    assert str(runtime.Runtime(torch.device("cuda"), bf16=False, compile=True)) == "cuda, float32, compiled"


def test_compilation_must_repay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_why_not_compile", lambda device: "")
    enough = runtime.COMPILE_FROM_FLOPS * torch.get_num_threads()
    assert not runtime.start("cpu").compile
    assert not runtime.start("cpu", num_flops=0.9 * enough).compile
    assert runtime.start("cpu", num_flops=enough).compile
    assert not runtime.start("cpu", num_flops=enough, compile_network="off").compile
    assert runtime.start("cpu", compile_network="on").compile
    monkeypatch.setattr(device, "multiplies_bf16_fast", lambda: False)
    assert "no faster" in runtime.start("cpu", compile_network="on", precision="bf16").notes[0]


def test_a_machine_without_a_compiler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_why_not_compile", lambda device: "no working C++ compiler found")
    computing = runtime.start("cpu", num_flops=1e18)
    assert not computing.compile
    assert "no working C++ compiler" in computing.notes[0]
    with pytest.raises(ResnetkitError, match="no working C\\+\\+ compiler"):
        runtime.start("cpu", compile_network="on")


def test_what_stops_the_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("g++: not found\nmore lines")

    monkeypatch.setattr(torch, "compile", fail)
    assert runtime._why_not_compile(torch.device("cpu")) == "g++: not found"


def test_convs_are_not_rounded_to_tf32_while_anybody_asks_for_float32() -> None:
    conv = torch.backends.cudnn.conv
    before = conv.fp32_precision
    with exact_float32(torch.device("cpu")):
        assert conv.fp32_precision == before
    first, second = (exact_float32(torch.device("cuda", 0)) for _ in range(2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)  # one of two threads is done
    assert conv.fp32_precision == "ieee"
    assert not torch.backends.cudnn.allow_tf32  # the older switch: where the two disagree, reading it raises
    second.__exit__(None, None, None)
    assert conv.fp32_precision == before
    assert torch.backends.cudnn.allow_tf32 == (before == "tf32")
