"""The engines there are, as one table; nothing is imported before one is opened."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from resnetkit.errors import Code, ResnetkitError, did_you_mean
from resnetkit.prediction import Engine

AUTO = "auto"


@dataclass(frozen=True)
class EngineKind:
    """One way to compute.

    Attributes:
        packages: what must be installed, besides what the project itself needs.
        extra: the extra of this project that installs them.
        reads: what it is opened from: the ``network`` (of a classifier), or its ``graph``, the bytes of an ONNX file,
            which needs no torch.
        opener: ``module:function`` that opens it, see :func:`open_kind`.
        measured: whether ``auto`` tries it; what needs a minute to open is for those who ask for it.
        lacking: what else is missing on this machine, in words; empty for nothing.
    """

    name: str
    packages: tuple[str, ...]
    extra: str
    reads: str
    opener: str
    measured: bool = True
    lacking: Callable[[], str] = lambda: ""

    @property
    def missing(self) -> str:
        """Why it cannot run here, in words; empty where it can."""
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
        EngineKind("onnxruntime", ("onnxruntime", "onnx"), "onnxruntime", "graph", f"{_GRAPH}:open_onnxruntime"),
        EngineKind("openvino", ("openvino", "onnx"), "openvino", "graph", f"{_GRAPH}:open_openvino"),
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


def find_kinds(name: str, *, on_cpu: bool = True) -> tuple[EngineKind, ...]:
    """The engines that a name stands for on this machine; several only for ``auto``.

    Raises:
        ResnetkitError: for an unknown name, or an engine that cannot run here.
    """
    if name not in NAMES:
        raise ResnetkitError(Code.USAGE, f"unknown engine '{name}'", fix=did_you_mean(name, NAMES))
    if name == AUTO:
        kinds = tuple(kind for kind in ENGINES.values() if kind.measured and not kind.missing)
        return kinds if on_cpu else (ENGINES["torch"],)
    kind = ENGINES[name]
    if not on_cpu and kind.reads == "graph":
        raise ResnetkitError(Code.USAGE, f"the engine {name} computes on the CPU here", fix="--device cpu, or torch")
    if kind.missing:
        raise ResnetkitError(Code.USAGE, f"the engine {name} cannot run here", why=kind.missing, fix="--engine auto")
    return (kind,)


def open_kind(kind: EngineKind, subject: Any, *, batch_size: int, num_threads: int) -> Engine:
    """Open an engine on what it reads: a :class:`~resnetkit.classifier.Classifier`, or the bytes of its graph.

    Args:
        batch_size: how many images it computes at once; more are computed in turns.
    """
    module, function = kind.opener.split(":")
    engine: Engine = getattr(import_module(module), function)(subject, batch_size=batch_size, num_threads=num_threads)
    return engine
