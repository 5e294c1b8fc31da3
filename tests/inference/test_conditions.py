"""What an engine is chosen under, found before anything is loaded."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from resnetkit.errors import Code, ResnetkitError
from resnetkit.inference import conditions, engines
from resnetkit.inference.conditions import find_conditions


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"engine": "tensorrt"}, "unknown engine 'tensorrt'"),
        ({"precision": "fp16"}, "unknown precision 'fp16'"),
        ({"engine": "onnxruntime", "precision": "bf16"}, "onnxruntime does not compute in bf16"),
        ({"engine": "torch", "precision": "int8"}, "torch does not compute in int8"),
        ({"calibrate": "."}, "images to calibrate on are for int8"),
        ({"precision": "int8", "calibrate": "/nowhere"}, "no folder of images at /nowhere"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"device": "tpu"}, "unknown device 'tpu'"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ResnetkitError, match=words) as raised:
        find_conditions(**settings)  # type: ignore[arg-type]
    assert raised.value.code is Code.USAGE


def test_a_mistyped_name_is_told_before_a_gpu_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "_find_device", None)  # would fail if it were called
    with pytest.raises(ResnetkitError, match="unknown engine 'tensorrt'"):
        find_conditions("tensorrt", device="cuda")


def test_a_processor_computes_a_few_large_images_at_once_and_a_gpu_what_it_is_given() -> None:
    asked = replace(find_conditions(batch_size=100, device="cpu"), num_threads=2)
    assert [asked.for_images(size).batch_size for size in (32, 224, 512)] == [64, 8, 1]
    assert replace(asked, device="cuda:0").for_images(512).batch_size == 100


def test_torch_alone_in_float32_is_no_choice() -> None:
    assert not find_conditions("torch", device="cpu").is_choice
    assert find_conditions("torch", precision="bf16", device="cpu").is_choice


def test_where_nothing_computes_in_int8_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {name: replace(kind, packages=("no_such_package",)) for name, kind in engines.ENGINES.items()}
    monkeypatch.setattr(engines, "ENGINES", table)
    with pytest.raises(ResnetkitError, match="no engine here computes in int8") as raised:
        find_conditions(precision="int8", device="cpu")
    assert raised.value.fix == "pip install 'resnetkit[int8]'"
    with pytest.raises(ResnetkitError, match="int8 is computed on the CPU here"):
        engines.find_kinds("auto", "int8", on_cpu=False)


@pytest.mark.skipif(bool(engines.ENGINES["onnxruntime"].missing), reason="onnxruntime is not installed")
def test_a_folder_to_calibrate_on_is_a_condition(tmp_path: Path) -> None:
    found = [find_conditions(precision="int8", calibrate=folder, device="cpu") for folder in (None, tmp_path)]
    assert [one.calibrate for one in found] == ["", os.path.realpath(tmp_path)]
    assert not {"torch", "torch_compile"} & set(found[0].engines)
    assert found[0].is_choice
