"""Engines and predictors for a classifier: measured once, then opened as remembered, without torch where possible."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnetkit.classifier.engine import Engine
from resnetkit.classifier.file import find_classifier, read_description
from resnetkit.classifier.prediction import BATCH_SIZE, Predictor
from resnetkit.errors import Code, ResnetkitError, require, summarize
from resnetkit.images.spec import Preprocessing
from resnetkit.inference.deadline import rehearse, within
from resnetkit.inference.engines import AUTO, ENGINES, EngineKind, find_kinds, open_kind
from resnetkit.inference.remembered import Cache, Key, Record, make_key
from resnetkit.inference.trials import TOLERANCES, Choice, Trial, check_images, choose
from resnetkit.machine.precision import Precision
from resnetkit.machine.processor import multiplies_bf16_fast
from resnetkit.machine.threads import find_num_threads, may_have_gpu
from resnetkit.terminal import tell

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier

# Pixels computed at once: 4 photographs of 224 × 224 for each thread. More gain no speed on a CPU and cost memory.
MAX_PIXELS_PER_THREAD = 4 * 224 * 224

Tell = Callable[[str], None]


def tell_user(text: str) -> None:
    """Say it on stderr."""
    tell(text)


def open_predictor(
    source: str | Path,
    *,
    engine: str = AUTO,
    precision: Precision = "fp32",
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    tell: Tell = tell_user,
) -> Predictor:
    """What answers for images, for the classifier in a run folder or classifier file.

    Where the engine to use is known and needs no torch, torch is not loaded.

    Args:
        engine: a name of :data:`~resnetkit.inference.engines.NAMES`.
        precision: what convs and matrix products are computed in; ``bf16`` gives other probabilities.
        batch_size: how many images will be given at once; the fastest engine can depend on it.

    Raises:
        ResnetkitError: for a file that is no classifier, an unknown engine, or one that cannot run here.
    """
    file = find_classifier(source)
    kinds = find_kinds(engine, precision)  # a mistyped name is told before anything is loaded
    threads = find_num_threads()  # before torch is loaded and after it the same, or nothing would be found again
    cache = cache_beside(file, kinds, precision)
    if device == "cpu" or (device == "auto" and not may_have_gpu()):
        description = read_description(file)
        size = description.preprocessing.image_size_px
        chunk = chunk_size(batch_size, size, threads)
        if cache is not None and any(kind.reads == "graph" for kind in kinds):
            key = make_key(kinds, batch_size=chunk, num_threads=threads, precision=precision)
            record = cache.read(key)
            opened = (
                None
                if record is None or record.graph is None
                else _reopen(record, key, description.preprocessing, tell)
            )
            if opened is not None:
                _tell_if_vain(precision, on_cpu=True, tell=tell)
                return Predictor.of(description, opened)
    # Only here, and below this line, torch is loaded.
    from resnetkit.classifier.classifier import load_classifier
    from resnetkit.machine.device import find_device

    classifier = load_classifier(file, device=find_device(device))
    opened = open_engine(
        classifier, engine, precision=precision, batch_size=batch_size, num_threads=threads, cache=cache, tell=tell
    )
    return Predictor.of(classifier, opened)


def open_engine(
    classifier: Classifier,
    name: str = AUTO,
    *,
    precision: Precision = "fp32",
    batch_size: int = BATCH_SIZE,
    num_threads: int | None = None,
    cache: Cache | None = None,
    tell: Tell = tell_user,
) -> Engine:
    """The engine of that name for a classifier; ``auto``: the fastest one here that agrees with the network.

    The first time, engines are opened, checked against the network and timed, which takes some seconds; the choice is
    kept. With only torch at hand there is nothing to choose and nothing is measured; what computes in bfloat16 is
    checked all the same.

    Args:
        precision: what convs and matrix products are computed in; ``bf16`` gives other probabilities.
        batch_size: how many images will be given at once.
        num_threads: to compute with, but for torch, which has one number for the process; None: torch's.
        cache: where the choice is kept: :func:`cache_beside` the file that the classifier was loaded from, if it is as
            it was loaded. Otherwise, as for third-party weights, it is kept in the user's cache.

    Raises:
        ResnetkitError: for an unknown engine, or one that cannot run here, fails, or disagrees with the network.
    """
    from resnetkit.machine.device import device_name

    on_cpu = classifier.device.type == "cpu"
    kinds = find_kinds(name, precision, on_cpu=on_cpu)
    _tell_if_vain(precision, on_cpu=on_cpu, tell=tell)
    threads = num_threads or find_num_threads()
    size = classifier.preprocessing.image_size_px
    chunk = chunk_size(batch_size, size, threads) if on_cpu else batch_size
    if not _is_choice(kinds, precision):
        shape = classifier.preprocessing.image_shape
        return open_kind(kinds[0], classifier, image_shape=shape, batch_size=chunk, num_threads=threads)
    if cache is None:
        cache = Cache(hashlib.sha256(classifier.to_bytes()).hexdigest())
    key = make_key(
        kinds, batch_size=chunk, num_threads=threads, precision=precision, device=device_name(classifier.device)
    )
    record = cache.read(key)
    if record is not None:
        opened = _reopen(record, key, classifier.preprocessing, tell, classifier)
        if opened is not None:
            return opened
    return _choose(classifier, kinds, cache, key, tell)


def cache_beside(file: Path, kinds: Sequence[EngineKind], precision: Precision) -> Cache | None:
    """Where a choice among engines is kept for the classifier in a file; None where there is none to make.

    To be asked before the classifier is loaded, for files get replaced.
    """
    return Cache.beside(file) if _is_choice(kinds, precision) else None


def _is_choice(kinds: Sequence[EngineKind], precision: Precision) -> bool:
    """Whether something is to be measured or checked: torch in float32 is not."""
    return precision != "fp32" or any(kind.name != "torch" for kind in kinds)


def chunk_size(batch_size: int, image_size_px: int, num_threads: int) -> int:
    """How many images are computed at once: a power of two, so that a choice serves nearby sizes too.

    >>> [chunk_size(n, 224, 2) for n in (1, 3, 64)], chunk_size(256, 32, 2)
    ([1, 2, 8], 256)
    """
    require(batch_size >= 1, f"batch_size must be at least 1, got {batch_size}")
    most = max(1, num_threads * MAX_PIXELS_PER_THREAD // image_size_px**2)
    return 1 << (min(batch_size, most).bit_length() - 1)


def _reopen(
    record: Record, key: Key, preprocessing: Preprocessing, tell: Tell, classifier: Classifier | None = None
) -> Engine | None:
    """The engine that was chosen before; None where it does not open any more, which is said."""
    kind = ENGINES[record.engine]
    try:
        subject = record.graph if kind.reads == "graph" else classifier
        return _open(kind, subject, _settings(key, preprocessing))
    except Exception as error:  # whatever another project's code raises: the choice is made anew
        tell(f"the engine {kind.name}, chosen before, does not open ({error}); choosing again")
        return None


def _settings(key: Key, preprocessing: Preprocessing) -> dict[str, Any]:
    """What :func:`open_kind` is told for a choice."""
    return {
        "image_shape": preprocessing.image_shape,
        "batch_size": key["batch_size"],
        "num_threads": key["num_threads"],
        "precision": key["precision"],
    }


def _open(kind: EngineKind, subject: Any, settings: Mapping[str, Any]) -> Engine:
    """The engine; one of another project has a deadline, torch has answered here before."""
    action = partial(open_kind, kind, subject, **settings)
    return within(action) if kind.reads == "graph" else action()


def _choose(
    classifier: Classifier,
    kinds: Sequence[EngineKind],
    cache: Cache,
    key: Key,
    tell: Tell,
) -> Engine:
    """Measure, say what came of it, and keep it."""
    from resnetkit.inference.torch_engines import open_plain

    chunk, precision = key["batch_size"], key["precision"]
    reference = open_plain(classifier, batch_size=chunk)
    names = ", ".join(kind.name for kind in kinds) + _suffix(precision)
    doing = "measuring the engines" if len(kinds) > 1 else "checking the engine"
    tell(f"{doing} {names} for this classifier, {chunk} images at a time; once, a few seconds")
    settings = _settings(key, classifier.preprocessing)
    graph, problems = _rehearse(classifier, kinds, settings)
    choice = choose(
        {
            kind.name: partial(_open, kind, graph if kind.reads == "graph" else classifier, settings)
            for kind in kinds
            if kind.name not in problems
        },
        reference,
        check_images(classifier.preprocessing),
        chunk,
        decision=classifier.decision,
        tolerance=TOLERANCES[precision],
    )
    left_out = tuple(Trial(name, problem=problem) for name, problem in problems.items())
    choice = replace(choice, trials=choice.trials + left_out)
    for trial in choice.trials:
        if trial.problem and len(kinds) > 1:
            tell(f"left out: the engine {trial.engine} {trial.problem}")
    if choice.engine is None:
        # The network itself is float32: it stands in for engines that should be, and for no others.
        if len(kinds) == 1 or precision != "fp32":
            one = len(kinds) == 1
            raise ResnetkitError(
                Code.CHECK_FAILED,
                f"the {'engine' if one else 'engines'} {names} cannot be used for this classifier",
                why="; ".join(trial.problem if one else f"{trial.engine} {trial.problem}" for trial in choice.trials),
                fix="--engine auto" if precision == "fp32" else "--precision fp32",
            )
        tell("no engine agrees with the network; it is used as it is, which is slower")
        return reference
    tell(say_choice(choice, precision))
    read = graph if ENGINES[choice.engine.name].reads == "graph" else None
    try:
        cache.write(key, Record(choice.engine.name, choice.trials, read))
    except ResnetkitError as error:
        tell(f"the choice could not be kept and will be made again: {error.why}")
    return choice.engine


def _rehearse(
    classifier: Classifier, kinds: Sequence[EngineKind], settings: Mapping[str, Any]
) -> tuple[bytes, dict[str, str]]:
    """The classifier's graph where an engine reads it, and by engine what is wrong with those that cannot be used."""
    graph_kinds = [kind for kind in kinds if kind.reads == "graph"]
    if not graph_kinds:
        return b"", {}
    from resnetkit.graphs.onnx import write_graph

    try:
        graph = write_graph(classifier)
    except Exception as error:  # also whatever the package onnx raises
        return b"", dict.fromkeys((kind.name for kind in graph_kinds), summarize(error))
    return graph, rehearse(graph_kinds, graph, settings)


def say_choice(choice: Choice, precision: Precision = "fp32") -> str:
    """The outcome in one line.

    >>> from types import SimpleNamespace
    >>> near, far = Agreement(3e-6, 2e-7, 0, 8), Agreement(3e-2, 4e-3, 1, 8)
    >>> say_choice(Choice(SimpleNamespace(name="a"), (Trial("a", near, 0.010), Trial("b", near, 0.0125))))
    "engine a: 10.00 ms an image (b 12.50 ms); its probabilities are the network's within 2e-07"
    >>> say_choice(Choice(SimpleNamespace(name="a"), (Trial("a", far),)), "bf16")
    "engine a in bf16: its probabilities are the float32 network's within 4e-03, top-1 the same on 7 of 8 check images"
    """
    assert choice.engine is not None
    taken = next(trial for trial in choice.trials if trial.engine == choice.engine.name)
    others = ", ".join(
        f"{trial.engine} {1000 * trial.seconds:.2f} ms"
        for trial in choice.trials
        if trial.seconds is not None and trial is not taken
    )
    speed = f"{1000 * taken.seconds:.2f} ms an image ({others}); " if taken.seconds is not None else ""
    line = f"engine {taken.engine}{_suffix(precision)}: {speed}its probabilities are"
    agreement = taken.agreement
    assert agreement is not None
    if precision == "fp32":
        return f"{line} the network's within {agreement.max_difference:.0e}"
    num_same = agreement.num_images - agreement.num_turned
    return (
        f"{line} the float32 network's within {agreement.max_difference:.0e}, "
        f"top-1 the same on {num_same} of {agreement.num_images} check images"
    )


def _suffix(precision: Precision) -> str:
    """What is said behind an engine's name; float32 goes without saying."""
    return "" if precision == "fp32" else f" in {precision}"


def _tell_if_vain(precision: Precision, *, on_cpu: bool, tell: Tell) -> None:
    """Say it where a precision other than float32 gains nothing; it is obeyed all the same."""
    if precision == "fp32":
        return
    if on_cpu:
        is_fast = multiplies_bf16_fast()
    else:
        import torch

        from resnetkit.machine.device import multiplies_bf16

        is_fast = multiplies_bf16(torch.device("cuda"))
    if not is_fast:
        tell(f"{precision} gains nothing here, where no unit computes it: it is no faster than fp32, only less exact")
