"""Every named network has the size it is known for, and is found by its name.

After a change that is meant: ``python tests/models/test_catalog.py`` writes the new table of sizes.
"""

import json
import re
from functools import cache
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from resnetkit.anatomy.table import Description
from resnetkit.anatomy.table import describe as describe_network
from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.catalog import CATALOG, find_entry, list_models
from resnetkit.models.resnet import ResNet

GOLDEN_FILE = Path(__file__).parents[1] / "golden" / "networks.json"
GOLDEN = json.loads(GOLDEN_FILE.read_text())

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
    "resnetv2_50": 25_549_352,  # timm; the others of timm, torchvision and Keras: tests/parity
    "keras_resnet50v2": 25_568_360,  # keras.applications, the trainable ones
}
# arXiv:1512.03385, Table 6, and arXiv:1605.07146, Tables 4 and 5: millions, to the digits printed there.
PUBLISHED_MILLIONS = {
    "resnet20": "0.27",
    "resnet32": "0.46",
    "resnet44": "0.66",
    "resnet56": "0.85",
    "resnet110": "1.7",
    "resnet1202": "19.4",
    "wrn_40_4": "8.9",
    "wrn_16_8": "11.0",
    "wrn_28_10": "36.5",
    "preact_resnet110": "1.7",
    "preact_resnet164": "1.7",
}


@cache
def describe(name: str) -> Description:
    entry = CATALOG[name]
    return describe_network(entry.spec, entry.image_size_px)


def measure(name: str) -> dict[str, int]:
    description = describe(name)
    return {
        "image_size_px": CATALOG[name].image_size_px,
        "parameters": description.parameters,
        "multiply_adds": description.multiply_adds,
        "activations": description.activations,
    }


def test_golden_table_has_every_network_and_no_other() -> None:
    assert list(GOLDEN) == list(CATALOG), "python tests/models/test_catalog.py writes the table anew"


@pytest.mark.parametrize("name", CATALOG)
def test_size_and_cost_stay_what_they_were(name: str) -> None:
    assert measure(name) == GOLDEN[name], "if that is meant, python tests/models/test_catalog.py writes the table anew"


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
    assert f"{describe(name).parameters / 1e6:.{len(published.partition('.')[2])}f}" == published


@pytest.mark.parametrize("name", ["resnet18", "resnet20_b", "keras_resnet50v2", "tutorial_preact"])
def test_multiply_adds_agree_with_torchs_own_count(name: str) -> None:
    entry = CATALOG[name]
    with torch.device("meta"):
        network = ResNet(entry.spec).eval()
        images = torch.empty(1, entry.spec.in_channels, entry.image_size_px, entry.image_size_px)
    with FlopCounterMode(display=False) as counter:
        network(images)
    assert counter.get_total_flops() == 2 * describe(name).multiply_adds


# Networks whose names, given by timm, count otherwise.
MISNAMED = {"seresnextaa201d_32x8d": 203, "resnetrs270": 272, "resnetrs420": 419}
UNNUMBERED = {"ecaresnetlight", "tutorial_preact"}


@pytest.mark.parametrize("name", [name for name in CATALOG if name not in UNNUMBERED])
def test_the_number_in_a_name_counts_layers_with_weights(name: str) -> None:
    spec = CATALOG[name].spec
    found = re.search(r"\d+", name.replace("resnetv2", "resnet"))
    assert found is not None
    # A stem counts as one layer, however many convs it has, and projections do not count but in arXiv:1605.07146.
    layers = sum(spec.depths) * len(spec.block.kernel_sizes) + 2 + (2 if name.startswith("wrn") else 0)
    assert layers == MISNAMED.get(name, int(found[0]))


def test_every_entry_says_what_it_is() -> None:
    for name, entry in CATALOG.items():
        assert entry.summary.strip(), name
        assert entry.image_size_px >= 8, name
    assert len({entry.summary for entry in CATALOG.values()}) == len(CATALOG)


def test_networks_promised_by_the_project_are_there() -> None:
    names = {
        *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet50_v1", "resnetv2_50"),
        *(f"resnet{depth}{option}" for depth in (20, 32, 44, 56, 110) for option in ("", "_b", "_c")),
        *("resnet164", "resnet1001", "resnet1202", "preact_resnet110", "preact_resnet164", "preact_resnet1001"),
        *("plain18", "plain34", "plain20", "plain56", "resnet34_a", "resnet34_c", "wrn_28_10"),
        *(
            "resnet50d",
            "wide_resnet50_2",
            "resnext50_32x4d",
            "seresnet50",
            "ecaresnet50d",
            "resnetblur50",
            "resnetrs50",
        ),
        *("tutorial_resnet50", "tutorial_preact", "tutorial_resnet18_bias", "tutorial_resnet18_block_bias"),
        *("keras_resnet50", "keras_resnet50v2", "keras_resnet50v2_no_preact"),
    }
    assert names <= set(CATALOG)


def test_patterns_list_models() -> None:
    assert list_models() == list_models("*") == list(CATALOG)
    assert list_models("plain?6") == ["plain56"]
    assert list_models("resnet[34]?") == ["resnet34", "resnet32", "resnet44"]
    assert list_models("plain*") == ["plain18", "plain34", "plain20", "plain32", "plain44", "plain56", "plain110"]
    assert list_models("*vgg*") == []


def test_text_finds_names_and_summaries() -> None:
    assert list_models("plain20") == ["plain20"]
    assert list_models("PLAIN20") == ["plain20"]
    assert list_models("RESNET[34]?") == list_models("resnet[34]?")
    assert list_models("Without Skips") == list_models("without skips")
    assert set(list_models("without skips")) == set(list_models("plain*"))
    assert set(list_models("tutorial")) >= {"tutorial_preact", "keras_resnet50v2"}
    assert list_models("vgg") == []


@pytest.mark.parametrize(("wrong", "near"), [("resnet51", "resnet5"), ("ResNet-50", "resnet50"), ("plan20", "plain20")])
def test_a_mistyped_name_is_told_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(ResnetkitError) as raised:
        find_entry(wrong)
    assert raised.value.code is Code.USAGE
    assert f"'{wrong}'" in raised.value.what
    assert f"did you mean '{near}" in raised.value.fix


def test_a_name_like_no_other_is_told_where_all_are() -> None:
    with pytest.raises(ResnetkitError, match="unknown network 'vgg'") as raised:
        find_entry("vgg")
    assert raised.value.fix.startswith(f"of the {len(CATALOG)} there are, the nearest are ")
    assert raised.value.fix.endswith(" (resnetkit models lists them all)")


if __name__ == "__main__":
    lines = [f"  {json.dumps(name)}: {json.dumps(measure(name))}" for name in CATALOG]
    GOLDEN_FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
