"""The benchmark of one subject: training and prediction over batch and image sizes, against the machine's peak."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property

import torch

from resnetkit.anatomy.cost import count_cost
from resnetkit.anatomy.memory import measure_memory
from resnetkit.benchmarking.plan import Case, Mode, Plan, list_cases
from resnetkit.benchmarking.results import PASSES_OF_TRAINING, Benchmark, Row, warning_about_spread, with_figures
from resnetkit.benchmarking.target import Subject
from resnetkit.benchmarking.timing import Work, time_rounds
from resnetkit.benchmarking.workloads import PredictionWork, TrainingWork, make_data
from resnetkit.classifier.prediction import Predictor
from resnetkit.config import to_dict
from resnetkit.errors import ResnetkitError, first_line
from resnetkit.images.spec import Preprocessing
from resnetkit.inference.conditions import Conditions, chunk_size, find_conditions
from resnetkit.inference.engine_choice import open_engine
from resnetkit.machine import runtime
from resnetkit.machine.device import device_name
from resnetkit.machine.peaks import free_bytes, load_average, measure_peak, warning_about_load, watch_memory
from resnetkit.training.computing import start_computing
from resnetkit.training.state import TrainingState, new_network, new_state

WARM_UP_STEPS = 2


def run_benchmark(
    subject: Subject, plan: Plan | None = None, *, on_progress: Callable[[str], None] = lambda text: None
) -> Benchmark:
    """Measure a subject as ``train`` and ``predict`` would run it on this machine.

    Training is compiled where the recipe says so; with ``auto``, as in a short run, on CUDA only.
    """
    plan = plan or Plan()
    load, computing = load_average(), start_computing(subject.recipe)
    # What is not there is told before anything is done.
    conditions = find_conditions(plan.engine, precision=plan.precision, device=str(computing.device))
    cases = list_cases(plan, subject.recipe.preprocessing.image_size_px)
    on_progress("measuring the machine's peak")
    precision = "bf16" if computing.bf16 else "fp32"
    peaks = {name: measure_peak(name, computing.device) for name in ("fp32", "bf16")}
    precisions = {"train": precision, "predict": plan.precision}
    bench = _Bench(subject, conditions, computing)
    works: dict[Case, Work] = {}
    rows: dict[Case, Row] = {}
    with _compiled_for_each_shape(computing):
        for case in cases:
            on_progress(f"warming up: {case.mode}, {case.image_size_px} px, batches of {case.batch_size}")
            multiply_adds = count_cost(subject.recipe.model, case.image_size_px).multiply_adds
            row = Row(case, multiply_adds, precision=precisions[case.mode])
            try:
                work, peak_bytes = bench.prepare(case)
                works[case], rows[case] = work, replace(row, engine=work.engine, peak_bytes=peak_bytes)
            except _CannotRun as error:
                rows[case] = replace(row, reason=str(error))
        on_progress(f"measuring {len(works)} cases in {plan.rounds} rounds")
        times = time_rounds(works, rounds=plan.rounds, seconds=plan.seconds)
        for name in peaks:  # what disturbed the first look at the peak may be over
            peaks[name] = max(peaks[name], measure_peak(name, computing.device))
    for case, rounds in times.items():
        peak = peaks[rows[case].precision]
        one_by_one = case.mode == "predict" or computing.device.type == "cpu"  # a GPU trains some steps at a time
        passes = _passes(subject, case.mode)
        rows[case] = with_figures(rows[case], rounds, peak=peak, passes=passes, one_by_one=one_by_one)
    environment = runtime.environment()
    warnings = [
        *computing.notes,
        warning_about_load(load, environment["threads"], os.cpu_count() or 1),
        warning_about_spread(rows.values()),
    ]
    return Benchmark(
        subject=subject.name,
        recipe=to_dict(subject.recipe),
        environment=environment,
        device=environment["processor"] if computing.device.type == "cpu" else device_name(computing.device),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        precision=precision,
        compiled=computing.compile,
        load_average=load,
        peak_flops_per_second=peaks,
        rows=tuple(rows.values()),
        warnings=tuple(text for text in warnings if text),
    )


class _CannotRun(Exception):  # noqa: N818 - it becomes a row's reason
    pass


class _Bench:
    """A subject on its device; its network and optimizer are shared by all cases."""

    def __init__(self, subject: Subject, conditions: Conditions, computing: runtime.Runtime) -> None:
        self.subject, self.conditions, self.computing = subject, conditions, computing
        subject.classifier.network.to(computing.device)

    @cached_property
    def _state(self) -> TrainingState:  # when it is needed, so that prediction is not charged for its memory
        recipe = self.subject.recipe
        return new_state(recipe, new_network(recipe), self.computing.device)

    def prepare(self, case: Case) -> tuple[PredictionWork | TrainingWork, int]:
        """The work of a case, warm, and the memory that it took.

        Raises:
            _CannotRun: with the reason.
        """
        self._check_memory(case)
        try:
            work = self._work(case)
            with watch_memory(self.computing.device) as peak:
                work(WARM_UP_STEPS)
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise _CannotRun(f"out of memory: {first_line(error)}") from None
        except ResnetkitError as error:
            raise _CannotRun(error.what) from None
        except (RuntimeError, ValueError) as error:  # a CPU's lack of memory; maps too small for a norm or a pool
            raise _CannotRun(first_line(error)) from None
        return work, peak.num_bytes

    def _work(self, case: Case) -> PredictionWork | TrainingWork:
        if case.mode == "predict":
            classifier = self.subject.classifier
            sized = replace(classifier, preprocessing=_resized(classifier.preprocessing, case.image_size_px))
            engine = open_engine(sized, replace(self.conditions, batch_size=case.batch_size))
            return PredictionWork(Predictor.of(sized, engine), case.batch_size)
        recipe = self.subject.recipe
        preprocessing = _resized(recipe.preprocessing, case.image_size_px)
        recipe = replace(recipe, preprocessing=preprocessing, batch_size=case.batch_size)
        data = make_data(recipe, self.computing.device)
        return TrainingWork(recipe, replace(self._state), data, self.computing)

    def _check_memory(self, case: Case) -> None:
        """Refuse what would fill the memory, because a full machine ends processes, this one or others."""
        free = free_bytes(self.computing.device)
        if free is None:
            return
        memory, size = measure_memory(self.subject.recipe.model, case.image_size_px), case.batch_size
        if case.mode == "train":
            kept_bytes = memory.kept_bytes // (2 if self.computing.bf16 else 1)
            needed = kept_bytes * size // self.subject.recipe.accumulate_steps
        elif self.computing.device.type == "cpu":  # where engines compute a large batch in turns
            needed = memory.peak_bytes * chunk_size(size, case.image_size_px, self.conditions.num_threads)
        else:
            needed = memory.peak_bytes * size
        if needed > free:
            raise _CannotRun(f"out of memory: needs more than {needed / 1e9:,.1f} GB, {free / 1e9:,.1f} GB are free")


def _resized(preprocessing: Preprocessing, image_size_px: int) -> Preprocessing:
    """The same for another size, with a margin in proportion."""
    margin = round(image_size_px * preprocessing.resize_px / preprocessing.image_size_px)
    return replace(preprocessing, image_size_px=image_size_px, resize_px=margin)


@contextmanager
def _compiled_for_each_shape(computing: runtime.Runtime) -> Iterator[None]:
    """Compile anew for each shape, as in a run, which has one; one program for all shapes is slower."""
    if not computing.compile:
        yield
        return
    import torch._dynamo

    with torch._dynamo.config.patch(automatic_dynamic_shapes=False, recompile_limit=64):
        yield


def _passes(subject: Subject, mode: Mode) -> int | None:
    """Cost of an image in forward passes; None where part of the network is frozen, which saves some of it."""
    if mode == "predict":
        return 2 if subject.classifier.preprocessing.average_mirrored else 1
    return PASSES_OF_TRAINING if subject.recipe.fine_tuning.freeze == "none" else None
