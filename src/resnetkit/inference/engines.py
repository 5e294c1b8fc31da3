"""The engines there are, as one table; nothing is imported before one is opened."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, get_args

import numpy as np

from resnetkit.classifier.engine import Engine
from resnetkit.errors import Code, ResnetkitError, did_you_mean, require
from resnetkit.machine.precision import Precision, UsePrecision

AUTO = "auto"
INT8_EXTRA = "'resnetkit[int8]'"


@dataclass(frozen=True)
class EngineKind:
    """One way to compute.

    Attributes:
        packages: what must be installed, besides what the project itself needs.
        extra: the extra of this project that installs them.
        reads: what it is opened from: the ``network`` (of a classifier), or its ``graph``, the bytes of an ONNX file,
            which needs no torch.
        opener: ``module:function`` that opens it, see :func:`open_kind`.
        precisions: what it can compute in.
        measured: whether ``auto`` tries it; what needs a minute to open is for those who ask for it.
        lacking: what else is missing on this machine, in words; empty for nothing.
    """

    name: str
    packages: tuple[str, ...]
    extra: str
    reads: str
    opener: str
    precisions: tuple[UsePrecision, ...] = get_args(Precision)
    measured: bool = True
    lacking: Callable[[], str] = lambda: ""

    @property
    def missing(self) -> str:
        """The reason why it cannot run here, in words; empty where it can."""
        absent = [package for package in self.packages if find_spec(package) is None]
        if absent:
            verb = "is" if len(absent) == 1 else "are"
            return f"{' and '.join(absent)} {verb} not installed (pip install 'resnetkit[{self.extra}]')"
        return self.lacking()


def lacking_compiler() -> str:
    """``torch.compile`` writes C++ and calls a compiler; without one it fails at the first image."""
    compilers = [os.environ["CXX"]] if "CXX" in os.environ else ["g++", "clang++", "cl"]
    return "" if any(map(shutil.which, compilers)) else f"no C++ compiler found ({', '.join(compilers)})"


_TORCH, _GRAPH = "resnetkit.inference.torch_engines", "resnetkit.inference.graph_engines"
# In the order in which equally fast ones are preferred: those that need no torch start sooner.
ENGINES: Mapping[str, EngineKind] = {
    kind.name: kind
    for kind in (
        EngineKind(
            "onnxruntime",
            ("onnxruntime", "onnx"),
            "onnxruntime",
            "graph",
            f"{_GRAPH}:open_onnxruntime",
            precisions=("fp32", "int8"),
        ),
        EngineKind(
            "openvino",
            ("openvino", "onnx"),
            "openvino",
            "graph",
            f"{_GRAPH}:open_openvino",
            precisions=("fp32", "bf16", "int8"),
        ),
        EngineKind("torch", (), "", "network", f"{_TORCH}:open_torch"),
        EngineKind(
            "torch_compile",
            (),
            "",
            "network",
            f"{_TORCH}:open_compiled",
            measured=False,
            lacking=lacking_compiler,
        ),
    )
}
NAMES = (AUTO, *ENGINES)


def check_names(name: str, precision: str) -> None:
    """Refuse an engine or a precision of a name that there is not.

    Raises:
        ResnetkitError: with the nearest one.
    """
    if name not in NAMES:
        raise ResnetkitError(Code.USAGE, f"unknown engine '{name}'", fix=did_you_mean(name, NAMES))
    if precision not in get_args(UsePrecision):
        fix = did_you_mean(precision, get_args(UsePrecision))
        raise ResnetkitError(Code.USAGE, f"unknown precision '{precision}'", fix=fix)


def find_kinds(name: str, precision: UsePrecision = "fp32", *, on_cpu: bool = True) -> tuple[EngineKind, ...]:
    """The engines that a name stands for on this machine; several only for ``auto``.

    Raises:
        ResnetkitError: for an unknown name or precision, or an engine that cannot run here, or not in that precision.
    """
    check_names(name, precision)
    if name == AUTO:
        tried = [kind for kind in ENGINES.values() if kind.measured] if on_cpu else [ENGINES["torch"]]
        able = [kind for kind in tried if precision in kind.precisions]
        require(bool(able), f"{precision} is computed on the CPU here", fix="--device cpu, or another --precision")
        found = tuple(kind for kind in able if not kind.missing)
        require(
            bool(found), f"no engine here computes in {precision}", why=able[0].missing, fix=f"pip install {INT8_EXTRA}"
        )
        return found
    kind = ENGINES[name]
    if precision not in kind.precisions:
        able_names = ", ".join(other.name for other in ENGINES.values() if precision in other.precisions)
        raise ResnetkitError(
            Code.USAGE,
            f"the engine {name} does not compute in {precision}",
            why=f"it has {' and '.join(kind.precisions)} only; {able_names} can",
            fix="--engine auto, or --precision fp32",
        )
    if not on_cpu and kind.reads == "graph":
        raise ResnetkitError(Code.USAGE, f"the engine {name} computes on the CPU here", fix="--device cpu, or torch")
    if kind.missing:
        raise ResnetkitError(Code.USAGE, f"the engine {name} cannot run here", why=kind.missing, fix="--engine auto")
    return (kind,)


def open_kind(
    kind: EngineKind,
    subject: Any,
    *,
    image_shape: Sequence[int],
    batch_size: int,
    num_threads: int,
    precision: UsePrecision = "fp32",
) -> Engine:
    """Open an engine on what it reads: a ``Classifier``, or the bytes of its graph.

    It has answered for a black image when this returns, in the calling thread. A library prepares much of itself at
    its first call, and where two threads make that call at once they can wait for each other for ever: one holds the
    interpreter's lock and wants what the other prepares, which wants the lock. (Seen with OpenVINO 2026.4, on a busy
    machine in one start of ten.)

    Args:
        image_shape: ``(C, S, S)`` of the images that it will be given.
        batch_size: how many images it computes at once; more are computed in turns.
    """
    module, function = kind.opener.split(":")
    opener = getattr(import_module(module), function)
    engine: Engine = opener(subject, batch_size=batch_size, num_threads=num_threads, precision=precision)
    engine.logits(np.zeros((1, *image_shape), np.uint8))
    return engine
