"""Description of a classifier, all that its file says besides its weights: a tree of values, and its text; no torch.

The text is JSON in ASCII: ``format``, ``needs``, and as sections the fields of a :class:`Description`; those of
:data:`OPTIONAL` are left out where they say nothing but the usual. A later version may write sections that this one
does not know. ``needs`` names those without which the answers would be others: a file that needs an unknown one is
refused; any other unknown one is told of and left aside. Of the decision, only what is set is written.
"""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path
from typing import Any

from resnetkit.classifier.decision import Decision
from resnetkit.classifier.reference import Reference
from resnetkit.classifier.yardstick import Yardstick
from resnetkit.config import from_dict, frozen, to_dict
from resnetkit.data.seen import SeenImages
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.models.spec import ResNetSpec
from resnetkit.terminal import warn

FORMAT = "resnetkit classifier 3"
EARLIER = (
    "resnetkit classifier 1",
    "resnetkit classifier 2",
)  # the same sections, but for needs, limits, decision, seen


@frozen
class Description:
    """Everything that a classifier is, but for its weights.

    Attributes:
        file: where it was read, which is no part of what it says.
        provenance: where it comes from (data, epochs, validation score …), JSON-ready, for people to read.
        limits: images beyond these are refused.
        decision: how logits become an answer.
        seen: the images that the weights have met; None where that is not known.
        reference: logits of the network as it was made; None where none were kept.
        yardstick: by which thresholds of the decision are set; None where no images were kept for that.
    """

    model: ResNetSpec
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    provenance: dict[str, Any]
    limits: Limits = Limits()
    decision: Decision = Decision()
    seen: SeenImages | None = None
    reference: Reference | None = None
    yardstick: Yardstick | None = None
    file: Path = dataclasses.field(default=Path(), compare=False)


SECTIONS = {field.name: field.default for field in dataclasses.fields(Description) if field.compare}
OPTIONAL = ("decision", "seen", "reference", "yardstick")
ANSWERING = ("decision",)  # of these, what a version that does not know them could not answer without
DECIDING = frozenset(field.name for field in dataclasses.fields(Decision))  # all of them change answers


def to_text(description: Description) -> str:
    """The text of a description; the same one always has the same text."""
    tree = to_dict(description)
    absent = [name for name in OPTIONAL if getattr(description, name) == SECTIONS[name]]
    tree = {name: tree[name] for name in SECTIONS if name not in absent}
    if "decision" in tree:  # a version that knows no thresholds can answer without those that are not set
        tree["decision"] = {name: value for name, value in tree["decision"].items() if value is not None}
    # In ASCII, because a class has the name of a folder, which need not be UTF-8.
    return json.dumps({"format": FORMAT, "needs": [name for name in ANSWERING if name in tree], **tree})


def parse(text: str, source: str) -> dict[str, Any]:
    """The sections of a text of this or an earlier format, as plain values that are yet to be checked.

    Raises:
        ResnetkitError: for a later format, or one with sections that this version does not know and the file needs.
        ValueError: for what is no description at all, as other kinds of errors that reading JSON raises.
    """
    tree = json.loads(text)
    if not isinstance(tree, dict):
        raise TypeError(f"a description is an object, not {type(tree).__name__}")
    found, needs = tree.pop("format", None), tree.pop("needs", [])
    require(
        found in (FORMAT, *EARLIER),
        f"{source} has the format '{found}', this version reads '{FORMAT}' and earlier ones",
        fix="use the version of resnetkit that wrote it, or a later one",
        code=Code.WEIGHTS,
    )
    unknown = [name for name in tree if name not in SECTIONS]
    needed = [name for name in unknown if name in needs]
    decision = tree.get("decision")
    if isinstance(decision, dict):
        needed += [f"decision.{name}" for name in decision if name not in DECIDING]
    if needed:
        raise ResnetkitError(
            Code.WEIGHTS,
            f"{source} was written by a later version of resnetkit",
            why=f"its answers depend on its {', '.join(needed)}, which this version does not know",
            fix="use that version, or a later one",
        )
    for name in unknown:
        _tell_unknown(source, name)
    known = {name: section for name, section in tree.items() if name in SECTIONS}
    return known if found == FORMAT else {**known, "model": _renewed(known["model"])}


def from_sections(sections: dict[str, Any], file: Path) -> Description:
    """The description in a file, of which :func:`parse` gave the sections.

    Raises:
        ResnetkitError: naming the first field that is missing, unknown or has a wrong value.
    """
    return dataclasses.replace(from_dict(Description, sections), file=file)


@cache  # a file's head may be read more than once
def _tell_unknown(source: str, name: str) -> None:
    warn(f"{source}: its section '{name}' is of a later version of resnetkit and left aside; no answer depends on it")


def _renewed(model: Any) -> Any:
    """A network as format 1 first wrote it, in the words of today; any other as it is."""
    if not isinstance(model, dict):
        return model
    norm = model.get("norm")
    if isinstance(norm, dict):
        model = {**model, "norm": {"kind": "batch_norm", **norm}}  # there was no other
    for name in ("block", "first_block"):
        if isinstance(model.get(name), dict):
            model = {**model, name: _renewed_block(model[name])}
    return model


def _renewed_block(block: dict[str, Any]) -> dict[str, Any]:
    if "project_always" in block:
        project = "always" if block["project_always"] else "shape_change"
        block = {**{name: value for name, value in block.items() if name != "project_always"}, "project": project}
    if isinstance(block.get("attention"), str):
        block = {**block, "attention": {"kind": block["attention"]}}
    return block
