"""What a file is, as far as names and shapes tell: never more, and never a silent choice."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.catalog import CATALOG, find_entry
from resnetkit.models.resnet import ResNet
from resnetkit.weights.identification import Evidence, identify


def tensors_of(name: str, **changes: object) -> dict[str, Tensor]:
    with torch.device("meta"):
        return ResNet(replace(find_entry(name).spec, **changes)).state_dict()  # type: ignore[arg-type]


# Networks that nothing else has the tensors of.
UNMISTAKABLE = (
    *("resnet20_b", "resnet56_b", "resnet20_c", "wrn_16_4", "cifar_resnet34", "kuangliu_preact_resnet18"),
    *("weiaicunzai_preact_resnet50", "keras_resnet50", "keras_resnet50v2", "tutorial_preact", "resnetv2_34d"),
    *("resnetv2_50x1_bit", "seresnet18", "ecaresnet26t", "resnext50_32x4d", "wide_resnet50_2", "resnetrs50"),
    *("resnet14t", "resnet50s", "resnet50_gn"),
)

SMALL = ("resnet20_b", "wrn_16_4", "kuangliu_preact_resnet18", "tutorial_preact", "seresnet18")


@pytest.mark.parametrize(
    "name", [name if name in SMALL else pytest.param(name, marks=pytest.mark.slow) for name in UNMISTAKABLE]
)
def test_a_network_is_known_by_its_tensors(name: str) -> None:
    found = identify(tensors_of(name))
    assert found.decided is not None, [c.name for c in found.candidates]
    assert found.decided.name == name
    assert found.decided.spec == CATALOG[name].spec


def test_classes_channels_and_a_missing_head_are_read_from_the_shapes() -> None:
    found = identify(tensors_of("resnet20_b", num_classes=7, in_channels=2)).decided
    assert found is not None
    assert (found.spec.num_classes, found.spec.in_channels) == (7, 2)
    headless = identify(tensors_of("resnet20_b", num_classes=None)).decided
    assert headless is not None
    assert headless.spec.num_classes is None


@pytest.mark.parametrize(
    ("name", "also"),
    [
        ("resnet50", {"resnet50_v1"}),
        ("resnet101", {"resnet101_v1"}),
        ("resnet110", {"akamaster_resnet110"}),
        ("resnet34_a", set()),
    ],
)
def test_networks_with_the_same_tensors_are_all_named_and_one_is_asked_for(name: str, also: set[str]) -> None:
    found = identify(tensors_of(name))
    assert {candidate.name for candidate in found.candidates} == {name, *also}
    if not also:
        assert found.choose(None, source="x.pth").name == name
        return
    with pytest.raises(ResnetkitError, match="the same tensors") as raised:
        found.choose(None, source="x.pth")
    assert raised.value.code is Code.WEIGHTS
    assert all(other in raised.value.what for other in (name, *also))
    assert "--model" in raised.value.fix
    for other in (name, *also):
        assert found.choose(other, source="x.pth").spec == CATALOG[other].spec


def test_what_is_rare_is_taken_for_what_is_usual_and_that_is_said() -> None:
    found = identify(tensors_of("resnet18"))
    assert {"resnet18", "resnetblur18"} <= {candidate.name for candidate in found.all_candidates}
    assert found.decided is not None
    assert found.decided.name == "resnet18"
    assert "anti-aliasing" in found.reasons[-1]
    assert found.choose("resnetblur18", source="x.pth").spec.block.downsampling == "blur"
    only_rare = identify(tensors_of("resnet18"), [Evidence("blurred", lambda c: c.name == "resnetblur18")])
    assert only_rare.decided is not None
    assert only_rare.decided.name == "resnetblur18"


def test_evidence_decides_and_may_not_be_contradicted() -> None:
    says_v1 = Evidence("the file says v1", lambda c: c.spec.block.strided_conv == 0)
    found = identify(tensors_of("resnet50"), [says_v1])
    assert found.decided is not None
    assert found.decided.name == "resnet50_v1"
    assert "the file says v1" in found.reasons
    with pytest.raises(ResnetkitError, match=r"x\.pth is not resnet50") as raised:
        found.choose("resnet50", source="x.pth")
    assert raised.value.why == "the file says v1"
    assert found.choose("resnet50_v1", source="x.pth").name == "resnet50_v1"


def test_evidence_that_the_tensors_contradict_is_an_error_and_not_ignored() -> None:
    found = identify(tensors_of("resnet50"), [Evidence("the file says it is resnet18", lambda c: c.name == "resnet18")])
    assert found.decided is None
    with pytest.raises(ResnetkitError, match="contradicts itself") as raised:
        found.choose(None, source="x.pth")
    assert "the file says it is resnet18" in raised.value.why
    assert "resnet50" in raised.value.why


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("resnet20_b", {"depths": (2, 1, 4)}, "resnet20_b[depths=[2,1,4]]"),
        ("resnet20_b", {"widths": (24, 40, 72)}, "resnet20_b[widths=[24,40,72]]"),
        ("resnetv2_50", {"depths": (1, 2, 1, 1)}, "resnetv2_50[depths=[1,2,1,1]]"),
    ],
)
def test_a_network_that_no_name_has_is_named_by_its_changes(name: str, changes: dict[str, object], says: str) -> None:
    found = identify(tensors_of(name, **changes))
    names = [candidate.name for candidate in found.candidates]
    assert any(find_entry(n).spec == find_entry(says).spec for n in names), names
    for candidate in found.candidates:
        assert find_entry(candidate.name).spec == candidate.spec, "the name must build what was found"


def test_tensors_of_no_residual_network_are_told_so() -> None:
    found = identify({"features.0.weight": torch.empty(64, 3, 3, 3), "classifier.bias": torch.empty(10)})
    assert not found.candidates
    with pytest.raises(ResnetkitError, match=r"no network has the tensors of vgg\.pth"):
        found.choose(None, source="vgg.pth")
    altered = tensors_of("resnet20_b")
    altered["layer2.0.conv3.weight"] = torch.empty(5)
    assert not identify(altered).candidates


def test_a_network_named_in_the_grammar_is_taken_as_it_is() -> None:
    found = identify(tensors_of("resnet20_b", num_classes=4))
    chosen = found.choose("resnet20_b[order=act_before_add]", source="x.pth")
    assert chosen.spec.num_classes == 4
    assert chosen.spec.block.order.after_add == ()
