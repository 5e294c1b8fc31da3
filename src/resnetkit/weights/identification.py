"""Identify the network that a file's tensors belong to, as far as their names and shapes tell."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.catalog import CATALOG, find_entry
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import Initialization, ResNetSpec
from resnetkit.weights.loading import HEAD

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Candidate:
    """A network that has just these tensors: its name, in the catalog or its grammar, and its spec."""

    name: str
    spec: ResNetSpec


@dataclass(frozen=True)
class Evidence:
    """Something besides the tensors that tells networks apart.

    Attributes:
        says: the sentence for people, e.g. "config.json says resnet50".
        fits: whether a network agrees with it.
        is_proof: whether a network that disagrees is refused even where the user names it.
    """

    says: str
    fits: Callable[[Candidate], bool]
    is_proof: bool = True


@dataclass(frozen=True)
class Identification:
    """Networks that a file can hold.

    Attributes:
        all_candidates: every network with these tensors.
        candidates: those that all evidence agrees with; networks that compute the same count once.
        reasons: how the others were ruled out, in sentences.
        proofs: the evidence that no choice may contradict.
        contradiction: a proof that no network with these tensors agrees with.
    """

    all_candidates: tuple[Candidate, ...]
    candidates: tuple[Candidate, ...]
    reasons: tuple[str, ...]
    proofs: tuple[Evidence, ...]
    contradiction: Evidence | None = None

    @cached_property
    def decided(self) -> Candidate | None:
        """The one network it is; None where there are several, or none."""
        return self.candidates[0] if len(self.candidates) == 1 else None

    def choose(self, model: str | None, *, source: str) -> Candidate:
        """The network to use: the one the file is, or the one the user names, where nothing contradicts it.

        Raises:
            ResnetkitError: where the file leaves a choice open, or contradicts the name.
        """
        if model is None:
            return self._only_one(source)
        first = self.all_candidates[0].spec if self.all_candidates else None
        spec = find_entry(model).spec
        if first is not None:
            spec = replace(spec, num_classes=first.num_classes, in_channels=first.in_channels)
        named = Candidate(model, spec)
        for proof in self.proofs:
            same = [other for other in self.all_candidates if _computes(other.spec) == _computes(spec)]
            if same and not any(proof.fits(other) for other in same):
                raise ResnetkitError(
                    Code.WEIGHTS,
                    f"{source} is not {model}",
                    why=proof.says,
                    fix=f"leave --model out, or give {_either(shlex.quote(c.name) for c in self.candidates)}",
                )
        return named

    def _only_one(self, source: str) -> Candidate:
        if self.decided is not None:
            return self.decided
        if self.contradiction is not None:
            raise ResnetkitError(
                Code.WEIGHTS,
                f"{source} contradicts itself",
                why=f"{self.contradiction.says}, but its tensors are those of "
                f"{_either(c.name for c in self.all_candidates)}",
                fix="get the file again from its source",
            )
        if not self.candidates:
            raise ResnetkitError(
                Code.WEIGHTS,
                f"no network has the tensors of {source}",
                why="neither the catalog nor a change of its depths and widths gives these names and shapes",
                fix="name its network with --model, e.g. --model 'resnet50[depths=[2,2,2,2]]'; resnetkit describe "
                "FILE says what its tensors tell",
            )
        raise ResnetkitError(
            Code.WEIGHTS,
            f"{source} can be {_either(c.name for c in self.candidates)}: they have the same tensors",
            why=_difference(self.candidates),
            fix=f"say which with --model, e.g. --model {shlex.quote(self.candidates[0].name)}",
        )


def identify(tensors: Mapping[str, Tensor], evidence: Iterable[Evidence] = ()) -> Identification:
    """Identify the networks that a file can hold by our names for its tensors (:func:`.to_native`).

    >>> weights = ResNet(CATALOG["resnet20_b"].spec).state_dict()
    >>> identify(weights).decided.name
    'resnet20_b'
    """
    shapes = {name: tuple(t.shape) for name, t in tensors.items() if not name.endswith("num_batches_tracked")}
    head = {name for name in shapes if name.startswith("fc.")}
    if head != set(HEAD):  # of several layers, or without a bias: a new head may replace it
        shapes = {name: shape for name, shape in shapes.items() if name not in head}
    found = tuple(_candidates(shapes))
    left, reasons = list(found), list[str]()
    evidence = tuple(evidence)
    for piece in (*evidence, ORDINARY):
        fitting = [candidate for candidate in left if piece.fits(candidate)]
        if found and piece.is_proof and not any(piece.fits(candidate) for candidate in found):
            return Identification(found, (), tuple(reasons), (piece,), contradiction=piece)
        if fitting and len(fitting) < len(left):
            left = fitting
            reasons.append(piece.says)
    unique = {_computes(candidate.spec): candidate for candidate in reversed(left)}
    kept = tuple(c for c in left if unique[_computes(c.spec)] is c)
    return Identification(found, kept, tuple(reasons), tuple(piece for piece in evidence if piece.is_proof))


def _is_ordinary(candidate: Candidate) -> bool:
    spec = candidate.spec
    return spec.block.downsampling == "stride" and spec.block.join.kind != "no_skip"


ORDINARY = Evidence(
    "networks without skips or with anti-aliasing, rare and with the same tensors, are left out",
    _is_ordinary,
    is_proof=False,
)


def _candidates(shapes: Shapes) -> Iterable[Candidate]:
    """Catalog names with just these tensors; where there are none, names whose depths and widths are changed."""
    clues = _find_clues(shapes)
    if clues is None:
        return
    found = False
    for name, entry in CATALOG.items():
        spec = replace(entry.spec, num_classes=clues.num_classes, in_channels=clues.in_channels)
        if spec.depths == clues.depths and _has_tensors(spec, shapes):
            found = True
            yield Candidate(name, spec)
    if found:
        return
    seen = set()
    nearest_first = sorted(CATALOG.items(), key=lambda item: item[1].spec.depths != clues.depths)
    for name, entry in nearest_first:
        changed = clues.change(name, entry.spec)
        if changed is not None and _computes(changed.spec) not in seen:
            seen.add(_computes(changed.spec))
            if _has_tensors(changed.spec, shapes):
                yield changed


@dataclass(frozen=True)
class _ShapeClues:
    """Clues that the shapes give at once.

    Attributes:
        channels: of each stage's output.
        num_convs: in a block's branch.
    """

    num_classes: int | None
    in_channels: int
    depths: tuple[int, ...]
    channels: tuple[int, ...]
    stem_widths: tuple[int, ...]
    num_convs: int

    def change(self, name: str, spec: ResNetSpec) -> Candidate | None:
        """A named network with this file's depths and widths; None where its blocks or stem are of another kind."""
        same_kind = (len(spec.depths), len(spec.block.kernel_sizes), len(spec.stem.widths)) == (
            len(self.depths),
            self.num_convs,
            len(self.stem_widths),
        )
        if not same_kind or any(channels % spec.block.expansion for channels in self.channels):
            return None
        widths = tuple(channels // spec.block.expansion for channels in self.channels)
        wanted = {"depths": self.depths, "widths": widths, "stem.widths": self.stem_widths}
        own = {"depths": spec.depths, "widths": spec.widths, "stem.widths": spec.stem.widths}
        changes = [f"{key}=[{','.join(map(str, value))}]" for key, value in wanted.items() if value != own[key]]
        full_name = f"{name}[{','.join(changes)}]" if changes else name
        changed = replace(
            spec, depths=self.depths, widths=widths, stem=replace(spec.stem, widths=self.stem_widths),
            num_classes=self.num_classes, in_channels=self.in_channels,
        )  # fmt: skip
        return Candidate(full_name, changed)


def _find_clues(shapes: Shapes) -> _ShapeClues | None:
    blocks = {tuple(name.split(".")[:2]) for name in shapes if name.startswith("layer")}
    stages = sorted({int(stage.removeprefix("layer")) for stage, _ in blocks})
    stem = [shapes[n] for n in ("conv1.weight", "conv1.0.weight", "conv1.3.weight", "conv1.6.weight") if n in shapes]
    if not stem or stages != list(range(1, len(stages) + 1)) or not stages:
        return None
    depths = tuple(sum(stage == f"layer{number}" for stage, _ in blocks) for number in stages)
    convs = sorted(name for name in shapes if name.startswith("layer1.0.conv") and name.endswith(".weight"))
    last = [f"layer{number}.0.{convs[-1].split('.')[2]}.weight" for number in stages] if convs else []
    if not last or not all(name in shapes for name in last):
        return None
    return _ShapeClues(
        num_classes=shapes["fc.weight"][0] if "fc.weight" in shapes else None,
        in_channels=stem[0][1],
        depths=depths,
        channels=tuple(shapes[name][0] for name in last),
        stem_widths=tuple(shape[0] for shape in stem),
        num_convs=len(convs),
    )


def _has_tensors(spec: ResNetSpec, shapes: Shapes) -> bool:
    """Tell whether a network has just these tensors; one block per stage is looked at before all are built."""
    try:
        short = replace(spec, depths=(1,) * len(spec.depths), strided_block="first")
        return shapes.items() >= _shapes_of(short).items() and _shapes_of(spec) == shapes
    except ResnetkitError:  # widths that this kind of block cannot have
        return False


def _shapes_of(spec: ResNetSpec) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        tensors = ResNet(spec).state_dict()
    return {name: tuple(t.shape) for name, t in tensors.items() if not name.endswith("num_batches_tracked")}


def _computes(spec: ResNetSpec) -> ResNetSpec:
    """The spec without what decides only how weights start and how batch statistics are gathered."""
    return replace(spec, initialization=Initialization())


def _difference(candidates: tuple[Candidate, ...]) -> str:
    summaries = (f"{candidate.name} is {CATALOG[candidate.name.partition('[')[0]].summary}" for candidate in candidates)
    return "; ".join(summaries)


def _either(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:-1]) + " or " + names[-1] if len(names) > 1 else "".join(names)
