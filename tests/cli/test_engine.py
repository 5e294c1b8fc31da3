"""``--engine`` of predict and evaluate."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from resnetkit.classifier import classifier as classifier_module
from resnetkit.classifier import file as classifier_file
from resnetkit.classifier.classifier import load_classifier
from resnetkit.classifier.file import FILE_NAME
from resnetkit.cli import predict
from resnetkit.inference import conditions
from resnetkit.inference.engines import ENGINES
from resnetkit.models.resnet import create_model

needs_onnxruntime = pytest.mark.skipif(
    bool(ENGINES["onnxruntime"].missing), reason=ENGINES["onnxruntime"].missing or "installed"
)


@pytest.fixture
def photo(tmp_path: Path) -> str:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 10), dtype=np.uint8)).save(path)
    return str(path)


@needs_onnxruntime
def test_the_first_use_says_what_it_does_and_later_ones_say_nothing(
    cli: Callable[..., Any], trained: Path, tmp_path: Path, photo: str
) -> None:
    # Without what an earlier test may have made the run remember.
    run = str(shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("*.engines")))
    first = cli("predict", run, photo, "--format", "csv")
    again = cli("predict", run, photo, "--format", "csv")
    assert "measuring the engines onnxruntime" in first.err
    assert again.err == ""
    assert (first.code, again.code) == (0, 0)
    plain = cli("predict", run, photo, "--format", "csv", "--engine", "torch")
    assert plain.err == ""
    cells = [outcome.out.splitlines()[1].split(",") for outcome in (again, plain)]
    assert cells[0][:4] == cells[1][:4]
    assert float(cells[0][4]) == pytest.approx(float(cells[1][4]), abs=1e-5)


@needs_onnxruntime
def test_evaluate_scores_with_the_engine(cli: Callable[..., Any], trained: Path, tmp_path: Path) -> None:
    run = str(shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("*.engines")))
    scored = [cli("evaluate", run, "--engine", engine) for engine in ("onnxruntime", "torch")]
    assert "checking the engine onnxruntime" in scored[0].err
    assert scored[0].out == scored[1].out


@needs_onnxruntime
def test_what_was_assumed_is_told_every_time(
    cli: Callable[..., Any], tmp_path: Path, trained: Path, photo: str
) -> None:
    classifier = load_classifier(trained)
    classifier.provenance["warnings"] = ["its classes have no names"]
    classifier.save(tmp_path / "assumed.safetensors")
    for _ in range(2):
        outcome = cli("predict", str(tmp_path / "assumed.safetensors"), photo, "--engine", "onnxruntime")
        assert "warning: its classes have no names" in outcome.err


def test_an_unknown_engine_is_refused(cli: Callable[..., Any], trained: Path, photo: str) -> None:
    for command in (("predict", str(trained), photo), ("evaluate", str(trained))):
        outcome = cli(*command, "--engine", "tensorrt")
        assert outcome.code == 2
        assert "unknown engine 'tensorrt'" in outcome.err


def test_evaluate_says_in_which_precision_it_scored(cli: Callable[..., Any], trained: Path, tmp_path: Path) -> None:
    run = str(shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("*.engines")))
    full, half = (
        json.loads(cli("evaluate", run, "--engine", "torch", "--precision", precision, "--json").out)
        for precision in ("fp32", "bf16")
    )
    assert (full["computed_in"], half["computed_in"]) == ("fp32", "bf16")
    assert half["log_loss"] != full["log_loss"]
    assert half["log_loss"] == pytest.approx(full["log_loss"], abs=0.05)
    titles = [
        cli("evaluate", run, "--engine", "torch", "--precision", precision).out.splitlines()[0]
        for precision in ("fp32", "bf16")
    ]
    assert titles[0].endswith(", split test")
    assert titles[1] == titles[0] + ", computed in bf16"


def test_an_engine_without_bfloat16_is_refused(cli: Callable[..., Any], trained: Path, photo: str) -> None:
    for command in (("predict", str(trained), photo), ("evaluate", str(trained))):
        outcome = cli(*command, "--engine", "onnxruntime", "--precision", "bf16")
        assert outcome.code == 2
        assert "the engine onnxruntime does not compute in bf16" in outcome.err
        assert cli(*command, "--precision", "fp16").code == 2


@needs_onnxruntime
@pytest.mark.parametrize("named", ["run", "weights"])
def test_without_a_file_no_engine_is_measured(
    cli: Callable[..., Any], trained: Path, tmp_path: Path, photo: str, named: str
) -> None:
    if named == "weights":
        source = str(tmp_path / "weights.safetensors")
        save_file(create_model("resnet20").state_dict(), source)
        options = ["--format", "csv", "--model", "resnet20"]
    else:
        source = str(shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("*.engines")))
        options = ["--format", "csv"]
    missing = ["gone.png", str(tmp_path / "gone" / "too.jpg")]
    outcome = cli("predict", source, *missing, *options)
    assert outcome.code == 1
    assert "measuring" not in outcome.err
    lines = [line.split(",")[:3] for line in outcome.out.splitlines()]
    assert lines == [["path", "status", "reason"], *([path, "error", "does not exist"] for path in missing)]
    some = cli("predict", source, missing[0], photo, *options)
    assert "measuring the engines onnxruntime" in some.err
    assert [line.split(",")[1] for line in some.out.splitlines()] == ["status", "error", "ok"]
    assert some.out.splitlines()[1] == outcome.out.splitlines()[1]


@needs_onnxruntime
def test_missing_data_are_told_before_engines_are_measured(
    cli: Callable[..., Any], trained: Path, tmp_path: Path
) -> None:
    source = str(shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("*.engines")))
    outcome = cli("evaluate", source, str(tmp_path / "nowhere"))
    assert outcome.code == 3
    assert "measuring" not in outcome.err
    assert "measuring the engines onnxruntime" in cli("evaluate", source).err


def test_without_a_file_mistakes_are_still_told(cli: Callable[..., Any], trained: Path, tmp_path: Path) -> None:
    assert "unknown engine 'tensorrt'" in cli("predict", str(trained), "gone.png", "--engine", "tensorrt").err
    damaged = tmp_path / "classifier.safetensors"
    damaged.write_bytes(b"nothing")
    assert "error: " in cli("predict", str(damaged), "gone.png").err
    assert "unknown device 'tpu'" in cli("predict", str(trained), "gone.png", "--device", "tpu").err


@pytest.mark.parametrize("named", ["run", "weights"])
def test_a_file_that_turns_up_late_is_answered(
    cli: Callable[..., Any], trained: Path, tmp_path: Path, photo: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, options = str(trained), ["--engine", "torch", "--format", "csv"]
    if named == "weights":
        source = str(tmp_path / "weights.safetensors")
        save_file(create_model("resnet20").state_dict(), source)
        options += ["--model", "resnet20"]
    expected = cli("predict", source, photo, *options)
    monkeypatch.setattr(predict.os, "access", lambda *_: False)  # as it is when the command looks at its files
    late = cli("predict", source, photo, *options)
    assert (late.code, late.out) == (0, expected.out)


@needs_onnxruntime
@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize(("engine", "num_loads"), [("onnxruntime", 0), ("torch", 1)])
def test_the_classifiers_file_is_read_once(
    cli: Callable[..., Any],
    trained: Path,
    tmp_path: Path,
    photo: str,
    command: str,
    engine: str,
    num_loads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its head once, and its tensors once where torch computes; engines are looked up once."""
    run = shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("*.engines"))
    arguments = [command, str(run), *([photo] if command == "predict" else []), "--engine", engine]
    cli(*arguments)  # the engine is remembered from now on
    calls: list[str] = []

    def counted(module: Any, name: str) -> None:
        function = getattr(module, name)

        def count(*given: Any, **settings: Any) -> Any:
            if name != "safe_open" or Path(given[0]).name == FILE_NAME:
                calls.append(f"{module.__name__.rpartition('.')[2]}.{name}")
            return function(*given, **settings)

        monkeypatch.setattr(module, name, count)

    for module, name in (
        (classifier_file, "check_safetensors_head"),
        (classifier_file, "safe_open"),
        (classifier_file, "_describe"),
        (classifier_module, "safe_open"),
        (conditions, "find_kinds"),
    ):
        counted(module, name)
    assert cli(*arguments).code == 0
    assert sorted(calls) == sorted(
        ["file.check_safetensors_head", "file.safe_open", "file._describe", "conditions.find_kinds"]
        + ["classifier.safe_open"] * num_loads
    )


@needs_onnxruntime
def test_in_int8_a_trained_classifier_scores_nearly_the_same(
    cli: Callable[..., Any], trained: Path, tmp_path: Path, photo: str
) -> None:
    run = str(shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("*.engines")))
    plain = json.loads(cli("evaluate", run, "--engine", "torch", "--json").out)
    scored = cli("evaluate", run, "--precision", "int8", "--json")
    quantized = json.loads(scored.out)
    assert f"calibrating on 300 training images of {run}" in scored.err
    assert quantized["computed_in"] == "int8"
    assert quantized["top1"]["value"] >= plain["top1"]["value"] - 0.01
    assert quantized["log_loss"] != plain["log_loss"]
    assert cli("evaluate", run, "--precision", "int8").out.splitlines()[0].endswith(", computed in int8")
    assert cli("predict", run, photo, "--calibrate", str(tmp_path)).code == 2
