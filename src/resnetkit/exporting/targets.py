"""Targets of an export, as one table; nothing is imported before one is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from resnetkit.errors import Code, ResnetkitError, did_you_mean
from resnetkit.exporting.precision import ExportPrecision
from resnetkit.images.spec import Preprocessing

if TYPE_CHECKING:
    from resnetkit.exporting.subject import Subject


@dataclass(frozen=True)
class Target:
    """A runtime that classifiers are exported to.

    Attributes:
        title: what it is called by its makers.
        precisions: what its models can compute in.
        packages: what must be installed here to write its files and to prove them.
        extra: the extra of this project that installs them.
        needs: what ``predict.py`` imports beside numpy and Pillow, as pip calls it.
        writer: ``module:function`` that writes its model files into a folder, given a
            :class:`~resnetkit.exporting.subject.Subject`.
        runtime: the template of the part of ``predict.py`` that runs them.
        resizes: tells which classifiers' images its models resize themselves; those of others ``predict.py`` prepares.
        why_outside: the reason for that, in a sentence.
        usage: lines of Python that call a model, for the README.
        why_not: of precisions that it lacks, why.
    """

    name: str
    title: str
    precisions: tuple[ExportPrecision, ...]
    packages: tuple[str, ...]
    extra: str
    needs: str
    writer: str
    runtime: str
    resizes: Callable[[Preprocessing], bool]
    why_outside: str
    usage: str
    why_not: Mapping[ExportPrecision, str]

    def write(self, subject: Subject, folder: Path) -> None:
        """Write its model files."""
        module, function = self.writer.split(":")
        getattr(import_module(module), function)(subject, folder)


def resizes_in_onnx(preprocessing: Preprocessing) -> bool:
    """Tell whether a graph resizes images as the classifier does; see :mod:`resnetkit.exporting.resizing_graph`."""
    return preprocessing.interpolation != "nearest"


_ONNX_USAGE = """\
session = onnxruntime.InferenceSession("prepared.onnx")  # or image.onnx, given {"image": image}
probabilities, logits = session.run(["probabilities", "logits"], {"pixels": pixels})
"""
TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target(
            name="onnx",
            title="ONNX Runtime",
            precisions=("fp32",),
            packages=("onnx", "onnxruntime"),
            extra="onnxruntime",
            needs="onnxruntime",
            writer="resnetkit.exporting.onnx_files:write_onnx",
            runtime="exporting/runtimes/onnx.py.jinja",
            resizes=resizes_in_onnx,
            why_outside="Which pixel is the nearest depends on how Pillow rounds.",
            usage=_ONNX_USAGE,
            why_not={"bf16": "ONNX Runtime computes no bfloat16 on processors"},
        ),
    )
}


def find_target(name: str, precision: str = "fp32") -> Target:
    """The target of a name, that can be written here and in that precision.

    Raises:
        ResnetkitError: for an unknown one, for a precision that it lacks, or where a package is missing.
    """
    if name not in TARGETS:
        raise ResnetkitError(Code.USAGE, f"unknown target '{name}'", fix=did_you_mean(name, TARGETS))
    if precision not in get_args(ExportPrecision):
        fix = did_you_mean(precision, get_args(ExportPrecision))
        raise ResnetkitError(Code.USAGE, f"unknown precision '{precision}'", fix=fix)
    target = TARGETS[name]
    if precision not in target.precisions:
        able = [other.name for other in TARGETS.values() if precision in other.precisions]
        raise ResnetkitError(
            Code.USAGE,
            f"there is no export to {name} in {precision}",
            why=next((why for known, why in target.why_not.items() if known == precision), ""),
            fix=" or ".join([*(f"--to {other}" for other in able), "--precision fp32"]),
        )
    absent = [package for package in target.packages if find_spec(package) is None]
    if absent:
        raise ResnetkitError(
            Code.USAGE,
            f"exporting to {name} needs {' and '.join(absent)}, which is not installed",
            fix=f"pip install 'resnetkit[{target.extra}]'",
        )
    return target
