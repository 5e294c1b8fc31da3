"""The two sheets of arXiv:1603.05027: all activation orders side by side, and all shortcuts (no torch here).

Each block is one of a network's own, varied by the grammar behind names and drawn as it is then wired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from resnetkit.anatomy.block_picture import Panel
from resnetkit.anatomy.formula import write_formula
from resnetkit.anatomy.skip_words import CONV_SHORTCUT_ERROR, join_error, order_error
from resnetkit.anatomy.wiring import BlockWiring, NetworkWiring, wire
from resnetkit.models.catalog import CATALOG
from resnetkit.models.spec import Add, DropoutAdd, GatedAdd, ResNetSpec, ScaledAdd
from resnetkit.models.variations import vary


@dataclass(frozen=True)
class Variant:
    """One picture of a sheet.

    Attributes:
        name: the paper's letter and name.
        settings: what makes it of a network, as in the brackets behind a name.
        errors: lines with what the paper reports for it.
    """

    name: str
    settings: Mapping[str, str]
    errors: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A figure of the paper.

    Attributes:
        source: where figure and errors are from.
    """

    title: str
    source: str
    variants: tuple[Variant, ...]


COLUMNS = 3  # pictures in a row: more are too small to read on a page
PAPERS_NETWORK = "resnet110"  # whose blocks a sheet has where none else is asked for
_COMMON = {"join": "add", "block.project": "shape_change"}  # instead of what the network has on its skips
_ORDER_NAMES = {
    "original": "(a) original",
    "norm_after_add": "(b) norm after addition",
    "act_before_add": "(c) ReLU before addition",
    "act_only_preact": "(d) ReLU-only pre-activation",
    "full_preact": "(e) full pre-activation",
}


def _order_variant(order: str, name: str) -> Variant:
    errors = order_error(vary(CATALOG[PAPERS_NETWORK].spec, {"order": order}))
    return Variant(name, {"order": order}, (f"error {errors} (110 and 164 layers)",))


def _gate_errors(*, exclusive: bool, biases: tuple[float, ...]) -> tuple[str, ...]:
    errors = {bias: join_error(GatedAdd(exclusive=exclusive, gate_bias=bias)) for bias in biases}
    return tuple(f"error {error}, bias at the start {bias:g}".replace("-", "−") for bias, error in errors.items())


SHEETS: dict[str, Sheet] = {
    "orders": Sheet(
        "The five activation orders",
        "arXiv:1603.05027, Figure 4; errors: Table 2, its ResNet-110 and ResNet-164 on CIFAR-10, median of five runs",
        tuple(_order_variant(order, name) for order, name in _ORDER_NAMES.items()),
    ),
    "shortcuts": Sheet(
        "The six shortcuts",
        "arXiv:1603.05027, Figure 2; errors: Table 1, its ResNet-110 on CIFAR-10, median of five runs",
        (
            Variant("(a) original", {"join": "add"}, (f"error {join_error(Add())}",)),
            Variant(
                "(b) constant scaling",
                {"join": "scaling"},
                (
                    f"error {join_error(ScaledAdd())}, factors 0.5 and 0.5",
                    f"error {join_error(ScaledAdd(0.5, 1.0))}, 0.5 on the skip alone",
                ),
            ),
            Variant(
                "(c) exclusive gating",
                {"join": "exclusive_gate"},
                (
                    *_gate_errors(exclusive=True, biases=(-6.0, -7.0)),
                    f"error {join_error(GatedAdd(exclusive=True, gate_bias=0.0))}, bias at the start 0 to −5",
                ),
            ),
            Variant(
                "(d) shortcut-only gating",
                {"join": "shortcut_gate"},
                _gate_errors(exclusive=False, biases=(-6.0, 0.0)),
            ),
            Variant("(e) conv shortcut", {"shortcut": "C"}, (f"error {CONV_SHORTCUT_ERROR}",)),
            Variant("(f) dropout shortcut", {"join": "dropout"}, (f"error {join_error(DropoutAdd())}",)),
        ),
    ),
}


def sheet_panels(sheet: Sheet, spec: ResNetSpec, image_size_px: int) -> list[Panel]:
    """Panels of a sheet, all of the same block of a network.

    >>> from resnetkit.models.catalog import CATALOG
    >>> [panel.below[-2] for panel in sheet_panels(SHEETS["orders"], CATALOG["resnet110"].spec, 32)][1]
    'y = ReLU(norm(H(x)))'

    Raises:
        ResnetkitError: for images that are too small.
    """
    common, panels = vary(spec, _COMMON), []
    for variant in sheet.variants:
        block = _typical_block(wire(vary(common, variant.settings), image_size_px))
        note = ",".join(f"{key}={value}" for key, value in variant.settings.items())
        panels.append(Panel(variant.name, note, block, (*write_formula(block), *variant.errors)))
    return panels


def sheet_notes(sheet: Sheet, name: str, panels: list[Panel]) -> tuple[str, str]:
    """Lines under a sheet's title: where it is from, and whose block it shows."""
    ((stage, number),) = panels[0].block.places
    return sheet.source, f"Drawn: stage {stage}, block {number} of {name}, with one thing changed, as written."


def _typical_block(network: NetworkWiring) -> BlockWiring:
    """The first block whose shape stays, other than the network's very first, which may be of its own kind."""
    blocks = [block for stage in network.stages for block in stage]
    same = [block for block in blocks if block.input_shape == block.output_shape]
    return next((block for block in same if block.places != ((1, 1),)), (same or blocks)[0])
