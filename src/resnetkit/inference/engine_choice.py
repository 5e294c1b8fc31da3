"""The engine for a classifier: measured once, then opened as remembered, without torch where possible."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from resnetkit.classifier.decision import Decision
from resnetkit.classifier.description import Description
from resnetkit.classifier.engine import Engine
from resnetkit.errors import Code, ResnetkitError, summarize
from resnetkit.images.spec import Preprocessing
from resnetkit.images.synthetic import check_images
from resnetkit.images.types import UInt8Images
from resnetkit.inference import engines
from resnetkit.inference.conditions import Conditions
from resnetkit.inference.deadline import rehearse, within
from resnetkit.inference.engines import EngineKind, open_kind
from resnetkit.inference.remembered import Cache, Record
from resnetkit.inference.trials import TOLERANCES, Bar, Choice, SameClasses, Trial, choose
from resnetkit.machine.precision import UsePrecision
from resnetkit.machine.processor import multiplies_bf16_fast, multiplies_int8_fast
from resnetkit.terminal import tell

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier
    from resnetkit.inference.calibration import CalibrationImages

Tell = Callable[[str], None]
Load = Callable[[], "Classifier"]


def tell_user(text: str) -> None:
    """Say it on stderr."""
    tell(text)


def open_engine(classifier: Classifier | Description, conditions: Conditions, *, tell: Tell = tell_user) -> Engine:
    """Open the engine for a classifier: of several, the fastest one here that agrees with the network.

    The first time, engines are opened, checked against the network and timed, which takes some seconds; the choice is
    kept, beside the classifier's file or in the user's cache. With only torch at hand there is nothing to choose and
    nothing is measured; what computes in another precision is checked all the same. In int8 the graph is quantized
    first, once, by the images that :mod:`~resnetkit.inference.calibration` finds.

    Args:
        classifier: what its file says of it is enough: the network, and torch, are loaded only where they are needed.
        conditions: as :func:`~resnetkit.inference.conditions.find_conditions` finds them.

    Raises:
        ResnetkitError: for an engine that fails, or disagrees with the network; in int8, where there are no images.
    """
    size = classifier.preprocessing.image_size_px
    conditions, chosen_under = conditions.for_images(size), conditions.for_choice(size)
    _tell_if_vain(conditions, tell)
    load = functools.cache(lambda: _loaded(classifier, conditions))
    settings = _settings(conditions, classifier.preprocessing)
    if not conditions.is_choice:
        return open_kind(engines.ENGINES[conditions.engines[0]], load(), **settings)
    cache = _cache_of(classifier)
    kept = _open_kept(cache, chosen_under, load, settings, tell)
    if kept is not None:
        return kept
    found = None
    if conditions.precision == "int8":
        from resnetkit.inference.calibration import find_images_for

        found = find_images_for(classifier, conditions.calibrate, tell=tell)
        tell(f"calibrating on {found.words}; once, the longer the larger the network")
    chosen = _choose(_subject(load(), found, conditions.precision), chosen_under, cache, tell)
    if chosen_under == conditions:
        return chosen
    return _open_kept(cache, chosen_under, load, settings, tell) or chosen


def _open_kept(
    cache: Cache, conditions: Conditions, load: Load, settings: Mapping[str, Any], tell: Tell
) -> Engine | None:
    """The engine that was chosen under these conditions, opened with settings; None where there is none that opens."""
    record = cache.read(conditions)
    return None if record is None else _reopen(record, load, settings, tell)


def _loaded(classifier: Classifier | Description, conditions: Conditions) -> Classifier:
    """The classifier with its network; torch is loaded here."""
    if not isinstance(classifier, Description):
        return classifier
    from resnetkit.classifier.classifier import load_classifier

    return load_classifier(classifier, device=conditions.device)


def _cache_of(classifier: Classifier | Description) -> Cache:
    """The cache of choices for it; one without a file, as of third-party weights, is known by what its would hold.

    Thresholds are no part of that: engines know nothing of them.
    """
    if isinstance(classifier, Description):
        return Cache.beside(classifier.file)
    bare = replace(classifier, decision=Decision(classifier.decision.temperature), yardstick=None)
    return Cache(hashlib.sha256(bare.to_bytes()).hexdigest())


def _settings(conditions: Conditions, preprocessing: Preprocessing) -> dict[str, Any]:
    """Arguments of :func:`open_kind` for a choice."""
    return {
        "image_shape": preprocessing.image_shape,
        "batch_size": conditions.batch_size,
        "num_threads": conditions.num_threads,
        "precision": conditions.precision,
    }


def _reopen(record: Record, load: Load, settings: Mapping[str, Any], tell: Tell) -> Engine | None:
    """The engine that was chosen before; None where it does not open any more, which is said."""
    kind = engines.ENGINES[record.engine]
    try:
        return _open(kind, record.graph if kind.reads == "graph" else load(), settings)
    except Exception as error:  # whatever another project's code raises: the choice is made anew
        tell(f"the engine {kind.name}, chosen before, does not open ({error}); choosing again")
        return None


def _open(kind: EngineKind, subject: Any, settings: Mapping[str, Any]) -> Engine:
    """The engine; one of another project has a deadline, torch has answered here before."""
    action = partial(open_kind, kind, subject, **settings)
    return within(action) if kind.reads == "graph" else action()


@dataclass(frozen=True)
class _Subject:
    """A classifier as it is tried.

    Attributes:
        images: to compare answers on, uint8 ``(N, C, S, S)``.
        bar: what answers for them are held to.
        quantize: makes of its graph the one that engines read.
    """

    classifier: Classifier
    images: UInt8Images
    bar: Bar
    quantize: Callable[[bytes], bytes] = lambda graph: graph


def _subject(classifier: Classifier, found: CalibrationImages | None, precision: UsePrecision) -> _Subject:
    """The classifier with images made for all, or in int8 with those that were found."""
    if precision != "int8":
        return _Subject(classifier, check_images(classifier.preprocessing), TOLERANCES[precision])
    from resnetkit.graphs.quantization import quantize

    assert found is not None
    bar = SameClasses(found.labels)
    return _Subject(classifier, found.pixels, bar, lambda graph: quantize(graph, found.pixels))


def _choose(subject: _Subject, conditions: Conditions, cache: Cache, tell: Tell) -> Engine:
    """Measure, say what came of it, and keep it."""
    from resnetkit.inference.torch_engines import open_plain

    classifier = subject.classifier
    is_as_made = _is_as_made(classifier, tell)
    precision, settings = conditions.precision, _settings(conditions, classifier.preprocessing)
    kinds = [engines.ENGINES[name] for name in conditions.engines]
    names = ", ".join(conditions.engines) + _suffix(precision)
    doing = "measuring the engines" if len(kinds) > 1 else "checking the engine"
    together = "1 image" if conditions.batch_size == 1 else f"{conditions.batch_size} images"
    tell(f"{doing} {names} for this classifier, {together} at a time; once, a few seconds")
    reference = open_plain(classifier, batch_size=conditions.batch_size)
    plain, graph, problems = _rehearse(subject, kinds, settings)
    choice = choose(
        {
            kind.name: partial(_open, kind, graph if kind.reads == "graph" else classifier, settings)
            for kind in kinds
            if kind.name not in problems
        },
        reference,
        subject.images,
        conditions.batch_size,
        decision=classifier.decision,
        bar=subject.bar,
        beside=_beside(kinds[0], plain, settings) if graph != plain else {},
    )
    left_out = tuple(Trial(name, problem=problem) for name, problem in problems.items())
    choice = replace(choice, trials=choice.trials + left_out)
    for trial in choice.trials:
        if trial.problem and len(kinds) > 1:
            tell(f"left out: the engine {trial.engine} {trial.problem}")
    if choice.engine is None:
        # The network itself is float32: it stands in for engines that should be, and for no others.
        if len(kinds) == 1 or precision != "fp32":
            raise _none_usable(choice, names, precision)
        tell("no engine agrees with the network; it is used as it is, which is slower")
        return reference
    tell(say_choice(choice, precision))
    if not is_as_made:
        return choice.engine  # not remembered, so that it is told of each time
    read = graph if engines.ENGINES[choice.engine.name].reads == "graph" else None
    try:
        cache.write(conditions, Record(choice.engine.name, choice.trials, read))
    except ResnetkitError as error:
        tell(f"the choice could not be kept and will be made again: {error.why}")
    return choice.engine


def _beside(kind: EngineKind, plain: bytes, settings: Mapping[str, Any]) -> dict[str, Engine]:
    """The same engine in float32, where it opens, to say what is gained."""
    with suppress(Exception):  # whatever another project's code raises: it is not the one that was asked for
        return {f"{kind.name} in fp32": _open(kind, plain, {**settings, "precision": "fp32"})}
    return {}


def _is_as_made(classifier: Classifier, tell: Tell) -> bool:
    """Say it where the network itself does not answer as when it was made: engines that agree with it prove nothing."""
    from resnetkit.classifier.reference_check import check_reference

    check = check_reference(classifier)
    if check is None or check.holds:
        return True
    tell(f"warning: {check}")
    return False


def _none_usable(choice: Choice, names: str, precision: UsePrecision) -> ResnetkitError:
    """The error where no engine can be used, with what is wrong with each."""
    one = len(choice.trials) == 1
    return ResnetkitError(
        Code.CHECK_FAILED,
        f"the {'engine' if one else 'engines'} {names} cannot be used for this classifier",
        why="; ".join(trial.problem if one else f"{trial.engine} {trial.problem}" for trial in choice.trials),
        fix="--engine auto" if precision == "fp32" else "--precision fp32",
    )


def _rehearse(
    subject: _Subject, kinds: Sequence[EngineKind], settings: Mapping[str, Any]
) -> tuple[bytes, bytes, dict[str, str]]:
    """The classifier's graph, and what engines read of it; and by engine what is wrong with those that cannot be used.

    Raises:
        ResnetkitError: where it cannot be quantized.
    """
    graph_kinds = [kind for kind in kinds if kind.reads == "graph"]
    if not graph_kinds:
        return b"", b"", {}
    from resnetkit.graphs.onnx import write_graph

    try:
        plain = write_graph(subject.classifier)
    except Exception as error:  # also whatever the package onnx raises
        return b"", b"", dict.fromkeys((kind.name for kind in graph_kinds), summarize(error))
    graph = subject.quantize(plain)
    return plain, graph, rehearse(graph_kinds, graph, settings)


def say_choice(choice: Choice, precision: UsePrecision = "fp32") -> str:
    """The outcome in one line.

    >>> from types import SimpleNamespace
    >>> from resnetkit.graphs.agreement import Agreement
    >>> near, far = Agreement(3e-6, 2e-7, 0, 8), Agreement(3e-2, 4e-3, 1, 8)
    >>> say_choice(Choice(SimpleNamespace(name="a"), (Trial("a", near, 0.010), Trial("b", near, 0.0125))))
    "engine a: 10.00 ms an image (b 12.50 ms); its probabilities are the network's within 2e-07"
    >>> say_choice(Choice(SimpleNamespace(name="a"), (Trial("a", far),)), "bf16")
    "engine a in bf16: its probabilities are the float32 network's within 4e-03, top-1 the same on 7 of 8 check images"
    """
    assert choice.engine is not None
    taken = next(trial for trial in choice.trials if trial.engine == choice.engine.name)
    timed = {trial.engine: trial.seconds for trial in choice.trials if trial is not taken} | dict(choice.beside)
    others = ", ".join(f"{name} {1000 * seconds:.2f} ms" for name, seconds in timed.items() if seconds is not None)
    speed = f"{1000 * taken.seconds:.2f} ms an image ({others}); " if taken.seconds is not None else ""
    line = f"engine {taken.engine}{_suffix(precision)}: {speed}its probabilities are"
    agreement = taken.agreement
    assert agreement is not None
    if precision == "fp32":
        return f"{line} the network's within {agreement.max_difference:.0e}"
    num_same = agreement.num_images - agreement.num_turned
    images = "images it was calibrated on" if precision == "int8" else "check images"
    return (
        f"{line} the float32 network's within {agreement.max_difference:.0e}, "
        f"top-1 the same on {num_same} of {agreement.num_images} {images}"
    )


def _suffix(precision: UsePrecision) -> str:
    """Words behind an engine's name; float32 goes without saying."""
    return "" if precision == "fp32" else f" in {precision}"


def _tell_if_vain(conditions: Conditions, tell: Tell) -> None:
    """Say it where a precision other than float32 gains nothing; it is obeyed all the same."""
    precision = conditions.precision
    if precision == "fp32":
        return
    if precision == "int8":
        if not multiplies_int8_fast():
            tell("int8 gains little here: this processor has no instruction for it (VNNI, AMX)")
        return
    if conditions.on_cpu:
        is_fast = multiplies_bf16_fast()
    else:
        import torch

        from resnetkit.machine.device import multiplies_bf16

        is_fast = multiplies_bf16(torch.device(conditions.device))
    if not is_fast:
        tell(f"{precision} gains nothing here: no unit computes it, so it is no faster than fp32, only less exact")
