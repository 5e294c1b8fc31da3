"""The benchmark of a small network: what is measured, what cannot be, and that it is the training loop that runs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from resnetkit.anatomy.cost import count_cost
from resnetkit.benchmarking import suite
from resnetkit.benchmarking.plan import Case, Plan, list_cases
from resnetkit.benchmarking.target import find_subject
from resnetkit.benchmarking.workloads import NUM_STEPS, TrainingWork, make_data
from resnetkit.errors import ResnetkitError
from resnetkit.machine.runtime import Runtime
from resnetkit.training import steps
from resnetkit.training.run import train
from resnetkit.training.state import new_network, new_state

BRIEF = {"rounds": 2, "seconds": 0.001}
COMPUTING = Runtime(torch.device("cpu"), bf16=False, compile=False)


def test_a_benchmark_measures_every_case(tiny_settings: dict[str, Any]) -> None:
    subject = find_subject("resnet20", settings=tiny_settings)
    measured = suite.run_benchmark(subject, Plan(batch_sizes=(4, 2), image_sizes_px=(16, 8), **BRIEF))
    assert {row.case for row in measured.rows} == {
        Case(mode, size, batch) for mode in ("predict", "train") for size in (8, 16) for batch in (2, 4)
    }
    assert set(measured.peak_flops_per_second) == {"fp32", "bf16"}
    assert all(peak > 0 for peak in measured.peak_flops_per_second.values())
    for row in measured.rows:
        assert row.reason == ""
        assert row.images_per_second is not None
        assert row.images_per_second.n == 2
        assert 0 < row.images_per_second.low <= row.images_per_second.median <= row.images_per_second.high
        assert row.multiply_adds == count_cost(subject.recipe.model, row.case.image_size_px).multiply_adds
        # resnet20's usual recipe averages the answers for an image and its mirror image.
        passes = 3 if row.case.mode == "train" else 2
        assert row.flops_per_second == pytest.approx(2 * passes * row.multiply_adds * row.images_per_second.median)
        assert row.peak_bytes is not None
        assert row.peak_bytes > 10_000_000


def test_what_cannot_run_is_a_row_that_says_why(tiny_settings: dict[str, Any]) -> None:
    settings = {**tiny_settings, "model.strides": [2, 2, 2]}
    subject = find_subject("resnet20", settings=settings)
    measured = suite.run_benchmark(subject, Plan(("train",), (1, 2), (8,), **BRIEF))
    alone, pair = measured.rows
    assert "more than 1 value per channel" in alone.reason
    assert alone.images_per_second is None
    assert pair.reason == ""
    assert pair.images_per_second is not None


def test_a_batch_that_does_not_divide_is_a_row_too(tiny_settings: dict[str, Any]) -> None:
    subject = find_subject("resnet20", settings={**tiny_settings, "batch_size": 6, "accumulate_steps": 3})
    measured = suite.run_benchmark(subject, Plan(("train",), (4,), (8,), **BRIEF))
    assert "multiple of accumulate_steps" in measured.rows[0].reason


def test_work_beyond_the_memory_is_refused_before_it_starts(
    tiny_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "free_bytes", lambda device: 1_000_000)
    subject = find_subject("resnet20", settings=tiny_settings)
    measured = suite.run_benchmark(subject, Plan(("predict", "train"), (2, 4096), (8,), **BRIEF))
    reasons = [row.reason for row in measured.rows]
    assert [reason.startswith("out of memory: needs more than") for reason in reasons] == [False, True, False, True]


def test_prediction_is_compared_with_the_peak_of_its_precision(
    tiny_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "measure_peak", lambda name, device: {"fp32": 1e9, "bf16": 4e9}[name])
    subject = find_subject("resnet20", settings={**tiny_settings, "runtime.precision": "fp32"})
    for precision, peak in (("fp32", 1e9), ("bf16", 4e9)):
        plan = Plan(("predict", "train"), (2,), (16,), **BRIEF, precision=precision)  # type: ignore[arg-type]
        predicted, trained = suite.run_benchmark(subject, plan).rows
        assert (predicted.precision, trained.precision) == (precision, "fp32")
        assert predicted.peak_share == pytest.approx(predicted.flops_per_second / peak)
        assert trained.peak_share == pytest.approx(trained.flops_per_second / 1e9)


def test_prediction_runs_on_the_engine_that_is_asked_for(tiny_settings: dict[str, Any]) -> None:
    subject = find_subject("resnet20", settings=tiny_settings)
    plan = Plan(("predict",), (2,), (16,), **BRIEF, engine="onnxruntime")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    (row,) = suite.run_benchmark(subject, plan).rows
    assert row.reason == ""
    assert row.engine == "onnxruntime"
    with pytest.raises(ResnetkitError, match="unknown engine 'onnx'"):
        suite.run_benchmark(subject, replace(plan, engine="onnx"))


def test_cases_left_open_suit_the_network() -> None:
    small, large = (list_cases(Plan(), size) for size in (32, 224))
    assert {(case.image_size_px, case.batch_size) for case in small if case.mode == "predict"} == {
        (size, batch) for size in (16, 32) for batch in (1, 32, 128)
    }
    assert {case.batch_size for case in large if case.mode == "train"} == {8, 32}
    assert list_cases(Plan(("train",), (1,), (64,)), 224) == [Case("train", 64, 1)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"image_sizes_px": (4,)}, "image size must be at least 8"),
        ({"batch_sizes": (0,)}, "batch size must be at least 1"),
        ({"rounds": 0}, "rounds must be at least 1"),
        ({"seconds": 0.0}, "seconds must be above 0"),
    ],
)
def test_impossible_plans_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ResnetkitError, match=message):
        Plan(**values)


def test_training_work_is_the_steps_of_training_and_writes_nothing(
    tiny_settings: dict[str, Any], empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    real = steps.cross_entropy

    def watched(logits: torch.Tensor, targets: torch.Tensor, **options: Any) -> torch.Tensor:
        sizes.append(tuple(logits.shape))
        return real(logits, targets, **options)

    monkeypatch.setattr(steps, "cross_entropy", watched)
    settings = {**tiny_settings, "batch_size": 2, "preprocessing.image_size_px": 8, "preprocessing.resize_px": 8}
    recipe = find_subject("resnet20", settings=settings).recipe
    state = new_state(recipe, new_network(recipe), COMPUTING.device)
    before = {name: tensor.clone() for name, tensor in state.network.state_dict().items()}
    work = TrainingWork(recipe, state, make_data(recipe, COMPUTING.device), COMPUTING)
    num_steps = NUM_STEPS + 3  # over the end of an epoch
    assert len(work(num_steps)) == num_steps
    assert sizes == [(2, 10)] * num_steps
    assert any(not torch.equal(before[name], tensor) for name, tensor in state.network.state_dict().items())
    assert list(empty_folder.iterdir()) == []


def test_subjects_are_names_runs_and_classifiers(tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    settings = {"model.depths": [1, 1, 1], "epochs": 1, "batch_size": 64, "runtime.threads": 1}
    run = train("digits", model="resnet20_b", settings=settings, out=tmp_path).run
    of_run = find_subject(str(run), settings={"runtime.threads": 1})
    assert of_run.recipe.batch_size == 64
    assert of_run.recipe.model == of_run.classifier.network.spec
    of_file = find_subject(str(run / "classifier.safetensors"), recipe="tutorial_adam")
    assert of_file.recipe.name == "tutorial_adam"
    assert of_file.recipe.model == of_run.recipe.model
    named = find_subject("tutorial_preact")
    assert named.recipe.preprocessing.image_size_px == 28
    assert find_subject("resnet18").recipe.name == "photos"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "resnet19"}, "unknown network"),
        ({"source": "nowhere/weights.pth"}, "nowhere/weights.pth"),
        ({"source": "resnet20", "recipe": "photo"}, "unknown recipe 'photo'"),
        ({"source": "resnet20", "model": "resnet18"}, "is none"),
        ({"source": "resnet20[channels=5]"}, "1 or 3 channels"),
    ],
)
def test_subjects_that_are_none_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ResnetkitError, match=message.replace("[", r"\[")):
        find_subject(**arguments)


def test_a_classifier_keeps_its_network(tmp_path: Path, tiny_settings: dict[str, Any]) -> None:
    file = tmp_path / "classifier.safetensors"
    find_subject("resnet20", settings=tiny_settings).classifier.save(file)
    with pytest.raises(ResnetkitError, match="settings of the recipe cannot change"):
        find_subject(str(file), settings={"model.depths": [2, 2, 2]})
