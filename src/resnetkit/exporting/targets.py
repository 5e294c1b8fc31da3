"""Targets of an export, as one table; nothing is imported before one is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from resnetkit.errors import Code, ResnetkitError, did_you_mean
from resnetkit.exporting.precision import ExportPrecision
from resnetkit.images.spec import Preprocessing

if TYPE_CHECKING:
    from resnetkit.exporting.exported_answers import ExportedAnswers
    from resnetkit.exporting.proof import Proof
    from resnetkit.exporting.subject import Subject


@dataclass(frozen=True)
class Target:
    """A runtime that classifiers are exported to.

    Attributes:
        title: what it is called by its makers.
        precisions: what its models can compute in.
        packages: what must be installed here to write its files and to prove them.
        extra: the extra of this project that installs them.
        needs: what ``predict.py`` imports beside numpy and Pillow, as pip calls it; for others what they run in.
        writer: ``module:function`` that writes its model files into a folder, given a
            :class:`~resnetkit.exporting.subject.Subject`.
        runtime: the template of the part of ``predict.py`` that runs them; None for what is used otherwise.
        resizes: tells which classifiers' images its models resize themselves; those of others ``predict.py`` prepares.
        why_outside: the reason for that, in a sentence.
        usage: lines of Python that call a model, for the README.
        why_not: of precisions that it lacks, why.
        reader: what of it reads images, as people call it.
        command: what is to be done next, with Python and in the folder.
        answerer: ``module:function`` that has a folder answer for its proof, given the target, the folder, paths of
            images, and how long it may be silent.
        readme: ``module:function`` that writes the text of its README, given a subject, the target and the proof.
    """

    name: str
    title: str
    precisions: tuple[ExportPrecision, ...]
    packages: tuple[str, ...]
    extra: str
    needs: str
    writer: str
    runtime: str | None
    resizes: Callable[[Preprocessing], bool]
    why_outside: str
    usage: str
    why_not: Mapping[ExportPrecision, str] = field(default_factory=dict)
    reader: str = "predict.py"
    command: str = "predict.py IMAGE…"
    answerer: str = "resnetkit.exporting.proving:answer_by_script"
    readme: str = "resnetkit.exporting.readme:write_readme"

    def write(self, subject: Subject, folder: Path) -> None:
        """Write its model files."""
        _function(self.writer)(subject, folder)

    def answer(self, folder: Path, paths: Sequence[str], silence_seconds: float) -> ExportedAnswers:
        """Have a folder of it answer for image files."""
        theirs: ExportedAnswers = _function(self.answerer)(self, folder, paths, silence_seconds)
        return theirs

    def write_readme(self, subject: Subject, proof: Proof) -> str:
        """The text of a folder's README."""
        text: str = _function(self.readme)(subject, self, proof)
        return text


def _function(named: str) -> Callable[..., Any]:
    module, name = named.split(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def resizes_in_onnx(preprocessing: Preprocessing) -> bool:
    """Tell whether a graph resizes images as the classifier does; see :mod:`resnetkit.exporting.resizing_graph`."""
    return preprocessing.interpolation != "nearest"


_ONNX_USAGE = """\
session = onnxruntime.InferenceSession("prepared.onnx")  # or image.onnx, given {"image": image}
probabilities, logits = session.run(["probabilities", "logits"], {"pixels": pixels})
"""
_OPENVINO_USAGE = """\
model = openvino.Core().compile_model("prepared.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})  # or bf16
answers = model({"pixels": pixels})
probabilities, logits = answers["probabilities"], answers["logits"]
"""
_TORCH_USAGE = """\
program = torch.export.load("classifier.pt2").module()
probabilities, logits = program(pixels)  # a uint8 tensor
"""
TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target(
            name="onnx",
            title="ONNX Runtime",
            precisions=("fp32", "int8"),
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
        Target(
            name="openvino",
            title="OpenVINO",
            precisions=("fp32", "bf16", "int8"),
            packages=("onnx", "openvino"),
            extra="openvino",
            needs="openvino",
            writer="resnetkit.exporting.openvino_files:write_openvino",
            runtime="exporting/runtimes/openvino.py.jinja",
            resizes=lambda preprocessing: False,
            why_outside="OpenVINO's own way to resize gives one pixel in two hundred another grey level.",
            usage=_OPENVINO_USAGE,
        ),
        Target(
            name="torch",
            title="PyTorch",
            precisions=("fp32", "bf16"),
            packages=(),
            extra="",
            needs="torch",
            writer="resnetkit.exporting.torch_files:write_torch",
            runtime="exporting/runtimes/torch.py.jinja",
            resizes=lambda preprocessing: False,
            why_outside="torch's own way to resize gives other pixels.",
            usage=_TORCH_USAGE,
            why_not={"int8": "the int8 model is one of ONNX"},
        ),
        Target(
            name="web",
            title="browsers",
            precisions=("fp32", "int8"),
            packages=("onnx", "onnxruntime"),
            extra="onnxruntime",
            needs="a browser",
            writer="resnetkit.exporting.web_files:write_web",
            runtime=None,
            resizes=resizes_in_onnx,
            why_outside="",
            usage="",
            why_not={"bf16": "ONNX Runtime computes no bfloat16 in browsers"},
            reader="the page",
            command="serve.py",
            answerer="resnetkit.exporting.web_answers:answer_by_page",
            readme="resnetkit.exporting.web_readme:write_web_readme",
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
