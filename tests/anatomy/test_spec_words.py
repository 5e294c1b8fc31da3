"""What is told of a network is true of it: sentences derived from the values, and figures where they belong."""

import re
from dataclasses import replace
from typing import get_args

import pytest
import torch

from resnetkit.anatomy.comparison import Difference, NetworkComparison, compare_networks, see
from resnetkit.anatomy.memory import measure_memory
from resnetkit.anatomy.skip_words import join_error, join_words, order_words
from resnetkit.anatomy.spec_words import MEANINGS, PUBLISHED
from resnetkit.models.catalog import CATALOG, find_entry
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import (
    BASIC_PREACT,
    STEM_3X3,
    ActivationOrder,
    Add,
    DropoutAdd,
    GatedAdd,
    NoSkip,
    ResNetSpec,
    ScaledAdd,
)


def compared(a: str, b: str, size: int = 32) -> NetworkComparison:
    return compare_networks(*(see(name, find_entry(name).spec, size) for name in (a, b)))


def the_difference(a: str, b: str, name: str) -> Difference:
    (found,) = (difference for difference in compared(a, b).differences if difference.name == name)
    return found


def test_a_plain_network_has_no_projection_to_tell_of() -> None:
    (addition,) = compared("plain20", "resnet20").differences
    assert (addition.a, addition.b.split(";")[0]) == ("no skip: a plain network", "skip + branch")
    assert "option A" in addition.b
    # The second network's skips have no weights: nobody adds any, whatever plain20's own unused projection says.
    assert addition.alone == ()
    assert ResNet(CATALOG["plain20"].spec).num_features == ResNet(CATALOG["resnet20"].spec).num_features


@pytest.mark.parametrize("names", [("plain34", "resnet34"), ("resnet34", "plain34"), ("plain20", "plain20[join=add]")])
def test_why_skips_is_told_where_one_network_has_none(names: tuple[str, str]) -> None:
    addition = the_difference(*names, "addition")
    for figure in ("27.94", "28.54", "27.88", "25.03"):  # arXiv:1512.03385, Table 2
        assert figure in addition.why
    assert "training error itself rises with depth" in addition.why


def test_papers_errors_are_told_for_the_papers_networks() -> None:
    known = {
        "plain18": "27.94",
        "plain34": "28.54",
        "resnet18_a": "27.88",
        "resnet34_a": "25.03",
        "resnet34_c": "24.19",
    }
    known |= {"resnet164": "5.93", "resnet1001": "7.61", "resnet1202": "7.93", "resnet101_v1": "21.75"}
    known |= {"resnet152_v1": "21.43", "preact_resnet1001": "4.92"}
    for name, error in known.items():
        assert f"{error} %" in PUBLISHED[name]
    assert "6.43 % in the best of five runs, 6.61 ± 0.16 %" in PUBLISHED["resnet110"]


@pytest.mark.parametrize("name", ["resnet20", "resnet34", "resnet50"])
def test_no_choice_carries_another_networks_error(name: str) -> None:
    """A choice in words is about the network at hand; what a paper measured stands apart and names its network."""
    spec = CATALOG[name].spec
    for meaning in MEANINGS:
        assert not re.search(r"\d\.\d\d %", meaning.words(spec)), meaning.name
    difference = the_difference(name, f"{name}[join=scaling]", "addition")
    assert difference.measured == (
        "Error of the paper's ResNet-110 on CIFAR-10 (arXiv:1603.05027, Table 1): 6.61 % with the choice of "
        f"{name}; 12.35 % with the choice of {name}[join=scaling]."
    )


def test_every_case_of_the_papers_table_has_its_error_and_no_other() -> None:
    fails = "above 20 %: it fails"
    table = {  # arXiv:1603.05027, Table 1
        Add(): "6.61 %",
        ScaledAdd(0.0, 1.0): fails,
        ScaledAdd(0.5, 1.0): fails,
        ScaledAdd(0.5, 0.5): "12.35 %",
        **{GatedAdd(exclusive=True, gate_bias=-bias): fails for bias in range(6)},
        GatedAdd(exclusive=True, gate_bias=-6): "8.70 %",
        GatedAdd(exclusive=True, gate_bias=-7): "9.81 %",
        GatedAdd(exclusive=False, gate_bias=0): "12.86 %",
        GatedAdd(exclusive=False, gate_bias=-6): "6.91 %",
        DropoutAdd(0.5): fails,
        NoSkip(): fails,
    }
    assert {join: join_error(join) for join in table} == table
    others = [ScaledAdd(0.7, 0.7), GatedAdd(exclusive=True, gate_bias=-8), GatedAdd(gate_bias=-3), DropoutAdd(0.1)]
    assert [join_error(join) for join in others] == ["", "", "", ""]
    assert len({join_words(join) for join in (*table, *others)}) == len(table) + len(others)


def test_what_fades_is_told_with_the_networks_own_numbers() -> None:
    text = the_difference("resnet110", "resnet110[join=scaling]", "addition").why
    assert f"0.5 becomes {0.5**54:.1e} over 54 blocks" in text
    gate = the_difference("resnet20", "resnet20[join=exclusive_gate,bias=-6]", "addition").why
    assert "leaves 0.998 of the skip" in gate
    assert "the branch counts 0.0025 times" in gate
    shortcut_only = the_difference("resnet20", "resnet20[join=shortcut_gate,bias=-6]", "addition").why
    assert "the branch counts" not in shortcut_only


def test_dropout_on_the_skip_grows_as_told() -> None:
    """It does not fade here: survivors are scaled up, which keeps the mean and lets the size grow."""
    text = the_difference("resnet20", "resnet20[join=dropout]", "addition").why
    assert "scaled by 2, so the skip is whole in the mean" in text
    assert "grows from block to block" in text
    torch.manual_seed(0)
    skip = torch.randn(1000, 64)
    kept = skip
    for _ in range(8):
        kept = torch.nn.functional.dropout(kept, 0.5, training=True)
    assert kept.std() > 10 * skip.std()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("join=scaling,skip_scale=2", "2 becomes 1.8e+16 over 54 blocks, forwards and backwards."),
        ("join=scaling,skip_scale=1e9", "becomes 1.0e+486 over"),
        ("join=scaling,skip_scale=1e-9", "becomes 1.0e-486 over"),
        ("join=shortcut_gate,bias=2000", "leaves 0 of the skip in each block"),
        ("join=shortcut_gate,bias=-2000", "leaves 1 of the skip in each block"),
    ],
)
def test_factors_of_any_size_are_told(setting: str, words: str) -> None:
    why = the_difference("resnet110", f"resnet110[{setting}]", "addition").why
    assert words in why
    assert ("where the skips fade" in why) == ("1e-9" in setting)


def test_a_join_is_told_beside_why_there_are_skips_at_all() -> None:
    assert "A factor on the skip" in the_difference("plain20", "resnet20[join=scaling]", "addition").why
    assert "A plain sum" not in the_difference("plain20", "resnet20", "addition").why


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["join=scaling", "join=exclusive_gate", "join=dropout"])
def test_no_skip_is_told_to_be_whole_that_the_addition_changes(setting: str) -> None:
    names = ("resnet20", f"preact_resnet110[{setting}]")
    blocks = dict(compared(*names).lessons)["Which blocks are which"]
    assert f"In {names[1]} the addition then changes what the skip hands on: " in blocks
    assert "In resnet20 the addition" not in blocks
    why = the_difference(*names, "activation order").why
    assert "unchanged" not in why
    assert "the addition itself changes the skip" in why
    assert "can only grow" not in the_difference("resnet20", f"resnet20[order=act_before_add,{setting}]", ORDER).why


def test_a_skip_behind_the_preactivation_is_told_to_be_no_clean_path() -> None:
    why = the_difference("resnet20", "preact_resnet110[block.identity_reads=preact]", ORDER).why
    assert "fork off behind the pre-activation" in why
    assert "unchanged" not in why


def test_no_order_is_told_to_matter_to_networks_without_skips() -> None:
    """It cuts one stream into blocks: with the same weights, every order computes the same."""
    images = torch.randn(2, 3, 32, 32)
    torch.manual_seed(0)
    plain = ResNet(find_entry("plain20").spec).eval()
    for name in (*ORDERS, "act_around_add"):
        other = f"plain20[order={name}]"
        network = ResNet(find_entry(other).spec).eval()
        for parameter, value in zip(in_order_of_calls(network), in_order_of_calls(plain), strict=True):
            parameter.data.copy_(value)
        torch.testing.assert_close(network(images), plain(images))
        difference = the_difference("plain20", other, ORDER)
        assert difference.why.startswith("Without skips there is no addition")
        assert difference.measured == ""
    one_sided = the_difference("plain20", "resnet20[order=full_preact]", ORDER)
    assert "Original" not in one_sided.why
    assert "with the choice of plain20" not in one_sided.measured


def in_order_of_calls(network: ResNet) -> list[torch.Tensor]:
    """The parameters of a network by the layers as they run."""
    found: list[torch.Tensor] = []
    leaves = [module for module in network.modules() if not list(module.children())]
    hooks = [leaf.register_forward_hook(lambda layer, *_: found.extend(layer.parameters())) for leaf in leaves]
    network(torch.zeros(1, 3, 32, 32))
    for hook in hooks:
        hook.remove()
    return found


def test_every_legal_order_is_told_by_its_own_steps() -> None:
    units = (("conv", "bn", "act"), ("bn", "act", "conv"), ("act", "conv", "bn"))
    orders = [
        ActivationOrder(unit, unit[start:])  # type: ignore[arg-type]
        for unit in units
        for start in range(unit.index("conv") + 1, 4)
    ]
    words = [order_words(order) for order in orders]
    assert len(set(words)) == len(words) == 6
    assert order_words(ActivationOrder(("act", "conv", "bn"), ("bn",))) == "ReLU, conv norm ReLU conv, addition, norm"
    whys = {name: the_difference("resnet20", f"resnet20[order={name}]", "activation order").why for name in ORDERS}
    assert "never negative" in whys["act_before_add"]
    assert "rescales the skip's own signal" in whys["norm_after_add"]
    assert "no norm before it" in whys["act_only_preact"]
    assert not any(words in whys["full_preact"] for words in ("never negative", "rescales", "no norm before"))


ORDER = "activation order"
ORDERS = ("norm_after_add", "act_before_add", "act_only_preact", "full_preact")


def test_a_first_block_that_differs_says_in_what() -> None:
    spec = CATALOG["preact_resnet20"].spec
    (meaning,) = (meaning for meaning in MEANINGS if meaning.name == "first block")
    assert meaning.words(spec) == "fork of identity skips: behind it"
    assert meaning.words(CATALOG["resnet20"].spec) == "like the others"


def test_a_bias_is_one_difference_and_not_the_stem_too() -> None:
    a, b = "tutorial_resnet18_bias", "tutorial_resnet18_bias[stem.bias=false]"
    assert [difference.name for difference in compared(a, b, 64).differences] == ["biases of convs"]


@pytest.mark.parametrize(
    ("name", "counted"), [("wrn_28_10", (26, 3)), ("resnet50d", (52, 4)), ("seresnet18", (18, 19))]
)
def test_the_layers_a_name_counts_are_told_apart_from_the_others(name: str, counted: tuple[int, int]) -> None:
    number, beside = counted
    words = see(name, CATALOG[name].spec, 64).description.layers_in_words
    assert words.startswith(f"{number} layers with weights on the longest path: ")
    assert sum(map(int, re.findall(r"(\d+) in the", words))) == number
    assert f"; {beside} more on skips or in attention are not counted" in words


def test_use_keeps_no_more_than_the_next_layer_and_a_skip_read() -> None:
    """While a pre-activated block adds, its pre-activation is gone."""
    spec = ResNetSpec(replace(BASIC_PREACT, kernel_sizes=(3,)), (2,), (16,), (1,), stem=replace(STEM_3X3, widths=(16,)))
    image, one_map = 4 * 3 * 32 * 32, 4 * 16 * 32 * 32
    # The image, the stage's input, the second block's input, its branch, and their sum.
    assert measure_memory(spec, 32).parts[1].peak_bytes == image + 4 * one_map


@pytest.mark.parametrize(
    ("name", "other", "meaning", "words"),
    [
        ("resnet20", "resnet20[channels=1,classes=1]", "input channels", "1"),
        ("resnet20", "resnet20[channels=1,classes=1]", "classes", "1"),
        ("resnet20", "resnet20[classes=null]", "classes", "none"),
        ("resnet20[drop=0.3]", "resnet20", "dropout in the branch", "0"),
        (
            "resnet20",
            "resnet20[block.kernel_sizes=[3]]",
            "kind of block",
            "1 conv: 3×3; stride on conv 1 of 1, the 3×3",
        ),
    ],
)
def test_a_number_is_told_as_the_number_it_is(name: str, other: str, meaning: str, words: str) -> None:
    assert the_difference(name, other, meaning).b == words


def test_every_join_is_put_into_words() -> None:
    from resnetkit.models.spec import Join

    kinds = get_args(get_args(Join)[0])
    assert len({join_words(kind()) for kind in kinds}) == len(kinds) == 5
