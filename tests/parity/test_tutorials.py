"""The tutorials' networks against the tutorials' own classes: the same weights give the same answers and gradients.

``python -m pytest -s tests/parity/test_tutorials.py`` prints the largest relative differences, which docs/tutorials.md
shows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from resnetkit.errors import ResnetkitError
from resnetkit.models.resnet import create_model
from resnetkit.sources.weights import open_network
from resnetkit.weights.naming import to_native
from resnetkit.weights.weight_file import WeightFile

from .tutorials import BiasedResNet18, BottleneckResNet, IdentityAndConvResNet18, PreactResNet, ResNet50V2

NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "tutorial_resnet50": (lambda: BottleneckResNet(pool_px=2), (3, 3, 64, 64)),
    "tutorial_preact": (PreactResNet, (3, 1, 28, 28)),
    "tutorial_resnet18_bias": (BiasedResNet18, (3, 3, 64, 64)),
    "tutorial_resnet18_block_bias": (IdentityAndConvResNet18, (3, 3, 64, 64)),
    "tutorial_resnet50v2": (ResNet50V2, (3, 3, 64, 64)),
    "tutorial_resnet50v2_no_preact": (lambda: ResNet50V2(preact=False), (3, 3, 64, 64)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_gradients_and_statistics(name: str, compare: Any) -> None:
    theirs, shape = NETWORKS[name]
    comparison = compare(lambda: create_model(name), theirs, torch.randn(shape))
    found = (comparison.assert_same_logits(), *comparison.assert_same_training())
    print(f"| `{name}` | {' | '.join(f'{difference:.0e}' for difference in found)} |")
    assert max(found) <= 1e-9


@pytest.mark.parametrize("name", NETWORKS)
def test_a_saved_state_dict_opens(name: str, tmp_path: Path) -> None:
    make, shape = NETWORKS[name]
    theirs, images = make(), torch.randn(shape)
    with torch.no_grad():
        theirs(images)  # in training mode: statistics that are not those of a fresh network
        torch.save(theirs.state_dict(), tmp_path / "learned.pth")
        # What shapes alone leave open, the names say, but for a network named as torchvision's own.
        model = name if name == "tutorial_preact" else None
        ours = open_network(tmp_path / "learned.pth", model=model).eval()
        torch.testing.assert_close(ours(images), theirs.eval()(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("blocks", [(2, 2, 2, 2), (1, 1, 2, 1)], ids=str)
def test_a_class_with_other_blocks_opens(blocks: tuple[int, ...], tmp_path: Path) -> None:
    """Also where another network of the catalog has these blocks: resnet26 has two a stage."""
    theirs, images = BottleneckResNet(blocks, num_classes=3, pool_px=2).eval(), torch.randn(2, 3, 64, 64)
    torch.save(theirs.state_dict(), tmp_path / "learned.pth")
    with torch.no_grad():
        ours = open_network(tmp_path / "learned.pth").eval()
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


def test_a_class_without_the_stems_bias_opens_by_name_only(tmp_path: Path) -> None:
    """timm's resnetv2_50 has tensors of the same shapes, and strides in other blocks."""
    theirs, images = ResNet50V2(use_bias=False).eval(), torch.randn(2, 3, 64, 64)
    torch.save(theirs.state_dict(), tmp_path / "learned.pth")
    with pytest.raises(ResnetkitError, match="contradicts itself"):
        open_network(tmp_path / "learned.pth")
    with torch.no_grad():
        ours = open_network(tmp_path / "learned.pth", model="tutorial_resnet50v2[stem.bias=false]").eval()
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "variation"),
    [
        ({"classes": 7}, "classes=7"),
        ({"use_bias": False}, "stem.bias=false"),
        ({"include_top": False, "pooling": "avg"}, "classes=null"),
        ({"include_top": False, "pooling": "max"}, "pooling=max,classes=null"),
        ({"include_top": False}, "pooling=none,classes=null"),
    ],
    ids=str,
)
def test_options_of_the_v2_tutorials_class(settings: dict[str, Any], variation: str, parity: Any, compare: Any) -> None:
    comparison = compare(
        lambda: create_model(f"tutorial_resnet50v2[{variation}]"),
        lambda: ResNet50V2(**settings),
        torch.randn(2, 3, 64, 64),
    )
    with torch.no_grad():
        ours, theirs = comparison.ours.eval()(comparison.images), comparison.theirs.eval()(comparison.images)
    assert parity.relative_difference(ours, theirs.reshape(ours.shape)) < 1e-9


@pytest.mark.parametrize("name", [name for name in NETWORKS if "resnet18" in name or "v2" in name])
def test_initial_weights_are_drawn_as_torch_draws_them(name: str) -> None:
    torch.manual_seed(0)
    state = NETWORKS[name][0]().state_dict()
    theirs = to_native(WeightFile(Path("theirs"), "torch", state)).tensors
    drawn = {key: own for key, own in create_model(name).named_parameters() if own.numel() > 60 and own.std() > 0}
    assert len(drawn) > 15
    for key, own in drawn.items():
        assert float(own.detach().abs().max()) == pytest.approx(float(theirs[key].abs().max()), rel=0.2)
        assert float(own.detach().std()) == pytest.approx(float(theirs[key].std()), rel=0.3)
