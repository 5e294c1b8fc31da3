"""Every named network has the size it is known for, and is found by its name."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.catalog import CATALOG, find_entry, find_names
from resnetkit.models.description import Description
from resnetkit.models.description import describe as describe_network
from resnetkit.models.resnet import ResNet

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "networks.json").read_text())

# arXiv:1512.03385 and the projects that publish weights; multiply-adds in 1e9 at 224 px.
PUBLISHED_AT_224 = {
    "resnet18": (11_689_512, 1.814),
    "resnet34": (21_797_672, 3.664),
    "resnet50": (25_557_032, 4.089),
    "resnet101": (44_549_160, 7.801),
    "resnet152": (60_192_808, 11.514),
    "tutorial_resnet50": (25_557_032, 4.089),
}
PUBLISHED_PARAMETERS = {
    "resnet50_v1": 25_557_032,  # v1 and v1.5 differ only in where the stride is
    "resnetv2_50": 25_549_352,  # timm
    "keras_resnet50v2": 25_568_360,  # keras.applications, the trainable ones
}
# arXiv:1512.03385, Table 6: millions, to the digits printed there.
PUBLISHED_MILLIONS = {
    "resnet20": "0.27",
    "resnet32": "0.46",
    "resnet44": "0.66",
    "resnet56": "0.85",
    "resnet110": "1.7",
    "preact_resnet110": "1.7",
    "preact_resnet164": "1.7",
}


@cache
def describe(name: str) -> Description:
    entry = CATALOG[name]
    return describe_network(entry.spec, entry.image_size_px)


def test_golden_table_has_every_network_and_no_other() -> None:
    assert sorted(GOLDEN) == sorted(CATALOG), "add the network's line to tests/golden/networks.json"


@pytest.mark.parametrize("name", CATALOG)
def test_size_and_cost_stay_what_they_were(name: str) -> None:
    description = describe(name)
    assert GOLDEN[name] == {
        "image_size_px": CATALOG[name].image_size_px,
        "parameters": description.parameters,
        "multiply_adds": description.multiply_adds,
    }


@pytest.mark.parametrize("name", PUBLISHED_AT_224)
def test_size_and_cost_are_the_published_ones(name: str) -> None:
    parameters, giga_multiply_adds = PUBLISHED_AT_224[name]
    assert CATALOG[name].image_size_px == 224
    assert describe(name).parameters == parameters
    assert round(describe(name).multiply_adds / 1e9, 3) == giga_multiply_adds


@pytest.mark.parametrize("name", PUBLISHED_PARAMETERS)
def test_parameters_are_the_published_ones(name: str) -> None:
    assert describe(name).parameters == PUBLISHED_PARAMETERS[name]


@pytest.mark.parametrize("name", PUBLISHED_MILLIONS)
def test_parameters_round_to_the_published_ones(name: str) -> None:
    published = PUBLISHED_MILLIONS[name]
    assert f"{describe(name).parameters / 1e6:.{len(published) - 2}f}" == published


@pytest.mark.parametrize("name", ["resnet18", "resnet20_b", "keras_resnet50v2", "tutorial_preact"])
def test_multiply_adds_agree_with_torchs_own_count(name: str) -> None:
    entry = CATALOG[name]
    with torch.device("meta"):
        network = ResNet(entry.spec).eval()
        images = torch.empty(1, entry.spec.in_channels, entry.image_size_px, entry.image_size_px)
    with FlopCounterMode(display=False) as counter:
        network(images)
    assert counter.get_total_flops() == 2 * describe(name).multiply_adds


@pytest.mark.parametrize("name", [name for name in CATALOG if re.search(r"\d", name)])
def test_the_number_in_a_name_counts_layers_with_weights(name: str) -> None:
    spec = CATALOG[name].spec
    number = re.search(r"(?:resnet|resnetv2_|plain)(\d+)", name)
    assert number is not None
    assert sum(spec.depths) * len(spec.block.kernel_sizes) + 2 == int(number[1])


def test_every_entry_says_what_it_is() -> None:
    for name, entry in CATALOG.items():
        assert entry.summary.strip(), name
        assert entry.image_size_px >= 8, name
    assert len({entry.summary for entry in CATALOG.values()}) == len(CATALOG)


def test_networks_promised_by_the_project_are_there() -> None:
    names = {
        *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet50_v1", "resnetv2_50"),
        *(f"resnet{depth}{option}" for depth in (20, 32, 44, 56, 110) for option in ("", "_b")),
        *("preact_resnet110", "preact_resnet164", "plain20", "plain56"),
        *("tutorial_resnet50", "tutorial_preact", "tutorial_resnet18_bias", "tutorial_resnet18_block_bias"),
        *("keras_resnet50v2", "keras_resnet50v2_no_preact"),
    }
    assert names <= set(CATALOG)


def test_patterns_find_names() -> None:
    assert find_names() == find_names("*") == list(CATALOG)
    assert find_names("plain?6") == ["plain56"]
    assert find_names("resnet[34]?") == ["resnet34", "resnet32", "resnet44"]
    assert find_names("plain*") == ["plain20", "plain56"]
    assert find_names("*vgg*") == []


def test_text_finds_names_and_summaries() -> None:
    assert find_names("plain20") == ["plain20"]
    assert set(find_names("without skips")) == {"plain20", "plain56"}
    assert set(find_names("tutorial")) >= {"tutorial_preact", "keras_resnet50v2"}
    assert find_names("vgg") == []


@pytest.mark.parametrize(("wrong", "near"), [("resnet51", "resnet5"), ("ResNet-50", "resnet50"), ("plain2", "plain20")])
def test_a_mistyped_name_is_told_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(ResnetkitError) as raised:
        find_entry(wrong)
    assert raised.value.code is Code.USAGE
    assert f"'{wrong}'" in raised.value.what
    assert f"did you mean '{near}" in raised.value.fix


def test_a_name_like_no_other_is_told_all() -> None:
    with pytest.raises(ResnetkitError, match="choose one of") as raised:
        find_entry("vgg")
    assert all(name in raised.value.fix for name in CATALOG)
