"""Pictures: whole, self-contained, and with everything in them that the wiring says."""

import re
from dataclasses import replace
from itertools import product
from xml.etree import ElementTree

import pytest

from resnetkit.anatomy.block_picture import draw_blocks, kind_panels, place_words, shape_words
from resnetkit.anatomy.formula import write_formula
from resnetkit.anatomy.network_picture import draw_network, fold
from resnetkit.anatomy.text_picture import block_text, network_text, panel_text
from resnetkit.anatomy.wiring import BlockWiring, NetworkWiring, wire
from resnetkit.models.catalog import CATALOG, find_entry
from resnetkit.models.spec import (
    ACT_AROUND_ADD,
    ACT_BEFORE_ADD,
    ACT_ONLY_PREACT,
    FULL_PREACT,
    NORM_AFTER_ADD,
    ORIGINAL,
    OWN_BN_ACT_CONV,
    ZERO_PAD,
    Add,
    Block,
    DropoutAdd,
    EfficientChannelAttention,
    GatedAdd,
    NoSkip,
    ResNetSpec,
    ScaledAdd,
)

SVG = "{http://www.w3.org/2000/svg}"
ORDERS = (ORIGINAL, NORM_AFTER_ADD, ACT_BEFORE_ADD, ACT_ONLY_PREACT, FULL_PREACT, ACT_AROUND_ADD)
JOINS = (Add(), ScaledAdd(), GatedAdd(), GatedAdd(exclusive=True), DropoutAdd(), NoSkip())


def small(block: Block) -> ResNetSpec:
    return replace(CATALOG["resnet20"].spec, block=block, depths=(2, 2, 2))


VARIANTS = {
    f"{'-'.join(order.unit)}{len(order.after_add)}{order.act_again:d} {join.kind} {len(sizes)}": small(
        Block(kernel_sizes=sizes, order=order, join=join)
    )
    for order, join, sizes in product(ORDERS, JOINS, ((3, 3), (1, 3, 1), (3,)))
}
VARIANTS["own projection"] = small(Block(order=FULL_PREACT, projection=OWN_BN_ACT_CONV))
VARIANTS["option A"] = small(Block(projection=ZERO_PAD))
VARIANTS["option C"] = small(Block(project="always"))
VARIANTS["extras"] = small(Block(downsampling="blur", attention=EfficientChannelAttention(), drop_rate=0.2))


def parsed(picture: str) -> ElementTree.Element:
    root = ElementTree.fromstring(picture)
    assert root.tag == f"{SVG}svg"
    return root


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def all_steps(block: BlockWiring) -> list[tuple[str, str]]:
    return [(step.name, step.words) for path in block.paths for step in path]


@pytest.mark.parametrize("spec", VARIANTS.values(), ids=VARIANTS.keys())
def test_block_pictures_hold_every_step(spec: ResNetSpec) -> None:
    for kind in wire(spec, 32).block_kinds():
        block, root = kind.drawn, parsed(draw_blocks("a block", [kind]))
        words, told = texts(root), root.findtext(f"{SVG}desc") or ""
        text = block_text(block)
        for name, step in all_steps(block):
            assert step in words
            assert step in told
            assert step in text
            assert name in words or not name
            assert name in text
        num_sums = sum(element.get("class") == "sum" for element in root.iter(f"{SVG}circle"))
        assert num_sums == text.count("⊕") == (0 if block.kind == "plain" else 1)
        assert ("identity" in words) == (block.kind != "plain" and not block.skip)


@pytest.mark.parametrize("spec", VARIANTS.values(), ids=VARIANTS.keys())
def test_steps_stand_in_order_from_the_top(spec: ResNetSpec) -> None:
    for kind in wire(spec, 32).block_kinds():
        block, root = kind.drawn, parsed(draw_blocks("a block", [kind]))
        heights = {e.text: float(e.get("y", "nan")) for e in root.iter(f"{SVG}text") if e.get("class") == "name"}
        trunk = [step.name for step in (*block.preact, *block.branch, *block.after_add) if step.name]
        assert [heights[name] for name in trunk] == sorted(heights[name] for name in trunk)
        if block.kind == "plain":
            continue
        (sign,) = [e for e in root.iter(f"{SVG}circle") if e.get("class") == "sum"]
        (fork,) = [e for e in root.iter(f"{SVG}circle") if e.get("class") == "tip"]
        addition, fork_y = float(sign.get("cy", "nan")), float(fork.get("cy", "nan"))
        assert all(heights[step.name] < addition for step in (*block.preact, *block.branch, *block.skip) if step.name)
        assert all(heights[step.name] > addition for step in block.after_add)
        above = block.skip_reads == "input"
        assert all((heights[step.name] > fork_y) == above for step in block.preact)
        lines = block_text(block).splitlines()
        fork_line = next(i for i, line in enumerate(lines) if "●" in line)
        assert all(
            (next(i for i, line in enumerate(lines) if step.name in line) > fork_line) == above for step in block.preact
        )


def networks() -> dict[str, NetworkWiring]:
    names = ("resnet18", "resnet50", "resnet110", "preact_resnet110", "keras_resnet50v2", "plain20", "tutorial_preact")
    return {name: wire(CATALOG[name].spec, CATALOG[name].image_size_px) for name in names}


@pytest.mark.parametrize(("name", "wiring"), networks().items(), ids=networks())
def test_network_pictures(name: str, wiring: NetworkWiring) -> None:
    for picture in (draw_network(name, wiring), draw_blocks(name, wiring.block_kinds())):
        root = parsed(picture)
        assert root.findtext(f"{SVG}title") == name
        assert len(root.findtext(f"{SVG}desc") or "") > 100
        assert not list(root.iter(f"{SVG}script"))
        assert not list(root.iter(f"{SVG}image"))
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|@font-face", picture)
        width, height = (float(root.get(side, "nan")) for side in ("width", "height"))
        assert "NaN" not in picture
        assert width < 1500
        assert height < 1600
    words = texts(parsed(draw_network(name, wiring)))
    text = network_text(wiring)
    for step in (*wiring.stem, *wiring.tail):
        assert step.words in words
        assert step.words in text
    drawn = [conv for conv in words if " conv, " in conv]
    folded = [conv for stage in wiring.stages for one in fold(stage) for conv in one.block.convs]
    assert [conv for conv in drawn if conv in folded][-len(folded) :] == folded


def test_long_stages_are_folded_and_nothing_is_lost() -> None:
    wiring = wire(CATALOG["resnet110"].spec, 32)
    assert [[(one.block.kind, one.count) for one in fold(stage)] for stage in wiring.stages] == [
        [("identity", 18)],
        [("shape-matching", 1), ("identity", 17)],
        [("shape-matching", 1), ("identity", 17)],
    ]
    words = texts(parsed(draw_network("resnet110", wiring)))
    assert (words.count("× 18"), words.count("× 17")) == (1, 2)
    assert "52 identity blocks, 2 shape-matching blocks, for images 3 × 32 × 32" in words
    assert "17 × [3×3 conv, 32 · 3×3 conv, 32]  skip: identity" in network_text(wiring)


def test_words_are_escaped() -> None:
    wiring = wire(CATALOG["resnet20"].spec, 32)
    title = "a <b> & \"c\" 'd'"
    for picture in (draw_network(title, wiring), draw_blocks(title, wiring.block_kinds())):
        assert parsed(picture).findtext(f"{SVG}title") == title


def test_a_gated_network_shows_its_gates() -> None:
    entry = find_entry("resnet20[join=exclusive_gate]")
    text = block_text(wire(entry.spec, 32).block_kinds()[0].drawn)
    lines = text.splitlines()
    gate = next(line for line in lines if "sigmoid = g" in line)
    assert "× (1 − g)" in gate
    assert "× g" in gate


def test_places_in_words() -> None:
    assert place_words([(1, 1)]) == "stage 1: block 1"
    assert place_words([(1, 1), (1, 2), (2, 1), (2, 2), (2, 3)]) == "stage 1: blocks 1, 2; stage 2: blocks 1 to 3"


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        # Stride 1 in the first stage, where the channels change all the same: another picture than the strided ones.
        ("resnet50", [["1: 1"], ["1: 2, 3", "2: 2 to 4", "3: 2 to 6", "4: 2, 3"], ["2: 1", "3: 1", "4: 1"]]),
        ("resnet110[shortcut=C]", [["1: 1 to 18", "2: 2 to 18", "3: 2 to 18"], ["2: 1", "3: 1"]]),
        ("wrn_16_8[shortcut=C]", [["1: 1"], ["1: 2", "2: 2", "3: 2"], ["2: 1", "3: 1"]]),
        ("resnet20[stochastic_depth=0.5]", [["1: 1 to 3", "2: 2, 3", "3: 2, 3"], ["2: 1", "3: 1"]]),
    ],
)
def test_block_pictures_name_every_shape_there_is(name: str, kinds: list[list[str]]) -> None:
    wiring = wire(find_entry(name).spec, 64)
    found = wiring.block_kinds()
    places = [[re.sub(r"stage (\d: )blocks? ", r"\1", place_words(b.places)) for b in kind.shapes] for kind in found]
    assert places == kinds
    for kind in found:
        assert len({block.shapes for block in kind.shapes}) == len(kind.shapes)
        for block in kind.shapes:
            assert {wiring.stages[i - 1][j - 1].shapes for i, j in block.places} == {block.shapes}
    picture = texts(parsed(draw_blocks(name, found)))
    lines = "\n".join(map(panel_text, kind_panels(found))).splitlines()
    for kind in found:
        for block in kind.shapes if len(kind.shapes) > 1 else ():
            words = f"{place_words(block.places)} · {shape_words(block.input_shape)}"
            (line,) = [line for line in picture if line.startswith(words)]
            assert f"  {line}" in lines
            assert line.endswith("(drawn)") == (block == kind.drawn)
            assert shape_words(block.output_shape) in line


FORMULAS = {
    "resnet18": ("F(x) = norm(conv(ReLU(norm(conv(x)))))", "H(x) = F(x) + x", "y = ReLU(H(x))"),
    "plain20": ("F(x) = norm(conv(ReLU(norm(conv(x)))))", "H(x) = F(x)", "y = ReLU(H(x))"),
    "resnet20[shortcut=C]": ("F(x) = norm(conv(ReLU(norm(conv(x)))))", "H(x) = F(x) + norm(conv(x))", "y = ReLU(H(x))"),
    "resnet20[order=norm_after_add]": ("F(x) = conv(ReLU(norm(conv(x))))", "H(x) = F(x) + x", "y = ReLU(norm(H(x)))"),
    "resnetv2_18": ("F(x) = conv(ReLU(norm(conv(ReLU(norm(x))))))", "H(x) = F(x) + x", "y = H(x)"),
    "preact_resnet20": ("a = ReLU(norm(x))", "F(a) = conv(ReLU(norm(conv(a))))", "H(x) = F(a) + a", "y = H(x)"),
    "resnet20[join=scaling]": (
        "F(x) = norm(conv(ReLU(norm(conv(x)))))",
        "H(x) = 0.5·F(x) + 0.5·x",
        "y = ReLU(H(x))",
    ),
    "resnet20[join=exclusive_gate]": (
        "F(x) = norm(conv(ReLU(norm(conv(x)))))",
        "g = sigmoid(conv(x))",
        "H(x) = g·F(x) + (1 − g)·x",
        "y = ReLU(H(x))",
    ),
    "resnet20[join=dropout]": (
        "F(x) = norm(conv(ReLU(norm(conv(x)))))",
        "H(x) = F(x) + drop(x)",
        "y = ReLU(H(x))",
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_every_picture_has_its_blocks_formula(name: str) -> None:
    kind = wire(find_entry(name).spec, 32).block_kinds()[0]
    assert write_formula(kind.drawn) == FORMULAS[name]
    assert set(FORMULAS[name]) <= set(texts(parsed(draw_blocks(name, [kind]))))
    (panel,) = kind_panels([kind])
    assert all(f"\n  {line}" in panel_text(panel) for line in FORMULAS[name])
