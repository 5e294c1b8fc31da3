"""Methods on every kind of network: shapes, ranges, repeatable, and the network left as it was."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.small_kinds import KINDS
from torch import nn

from resnetkit.classifier.classifier import Classifier
from resnetkit.explanation.covering import random_masks, window_masks
from resnetkit.explanation.gradients import find_gap
from resnetkit.explanation.methods import METHODS, find_methods
from resnetkit.explanation.subject import Question, Subject
from resnetkit.inference.torch_engines import open_plain
from resnetkit.models.plan import map_names
from resnetkit.models.spec import GroupNorm

Make = Callable[..., Classifier]
Noise = Callable[..., np.ndarray]
SIZE = 16


def asked_of(classifier: Classifier) -> tuple[Subject, Question]:
    spec = classifier.network.spec
    return Subject.of(classifier, open_plain(classifier)), Question(1, None, map_names(spec)[-1])


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def classifier(request: pytest.FixtureRequest, make: Make) -> Classifier:
    return make(request.param, SIZE)


# The others ask the network no differently, but more often.
ASKING_ONCE = [method for method in METHODS.values() if method.name not in ("smooth_grad", "occlusion", "rise")]


def test_every_way_to_ask_is_open_to_every_kind_of_network(classifier: Classifier, noise: Noise) -> None:
    network = classifier.network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    subject, question = asked_of(classifier)
    (pixels,) = noise(classifier, 1)
    for method in ASKING_ONCE:
        heat = method.compute(subject, question, pixels)
        assert (heat.shape, heat.dtype) == ((SIZE, SIZE), np.float32), method.name
        assert np.isfinite(heat).all(), method.name
        assert method.is_signed or heat.min() >= 0, method.name
        if method.adds_up:
            # Group norms answer alike at any contrast: all of the change is where hardly anything is visible.
            most = 0.1 if isinstance(network.spec.norm, GroupNorm) else 0.01
            assert find_gap(subject, question, pixels, heat) <= most, method.name
        assert heat.max() > 0 or method.name.endswith("cam"), method.name  # nothing may speak for the class
    for module in network.modules():
        assert not module.training
        assert not module._forward_hooks
        assert not module._backward_hooks
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(weight.grad is None and weight.requires_grad for weight in network.parameters())


def test_maps_of_every_layer_can_be_read(classifier: Classifier, noise: Noise) -> None:
    subject, _ = asked_of(classifier)
    (pixels,) = noise(classifier, 1)
    logits = torch.from_numpy(subject.logits(pixels)[0])
    for layer in map_names(classifier.network.spec):
        with torch.no_grad():
            halfway = subject.network.forward_to(layer, subject.views(pixels))
            torch.testing.assert_close(subject.network.forward_from(layer, halfway), logits)
        for method in METHODS.values():
            if method.reads_map:
                heat = method.compute(subject, Question(1, None, layer), pixels)
                assert np.isfinite(heat).all()
                assert heat.shape == (SIZE, SIZE)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_gives_the_same_map_each_time(make: Make, noise: Noise, name: str) -> None:
    classifier = make()
    (pixels,) = noise(classifier, 1)
    first, second = (METHODS[name].compute(*asked_of(classifier), pixels) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", METHODS)
def test_averaged_mirror_images_are_explained_as_they_answer(make: Make, noise: Noise, name: str) -> None:
    """The map of a mirrored image is the mirrored map, which is the mean of both views'."""
    classifier = make(average_mirrored=True)
    (pixels,) = noise(classifier, 1)
    mirrored = np.ascontiguousarray(pixels[..., ::-1])
    maps = [METHODS[name].compute(*asked_of(classifier), image) for image in (pixels, mirrored)]
    # Of draws that are the same for an image and its mirror image, the mean is not quite symmetric.
    tolerance = 0.35 if name in ("smooth_grad", "rise") else 1e-4
    np.testing.assert_allclose(maps[0], maps[1][:, ::-1], atol=tolerance * np.abs(maps[0]).max())
    if METHODS[name].reads_map or name in ("gradient", "integrated_gradients"):
        alone = Classifier(classifier.network, make().preprocessing, classifier.class_names)
        each = [METHODS[name].compute(*asked_of(alone), image) for image in (pixels, mirrored)]
        np.testing.assert_allclose(maps[0], (each[0] + each[1][:, ::-1]) / 2, atol=1e-4 * np.abs(maps[0]).max())


def count_passes(network: nn.Module) -> list[int]:
    """A list that grows by one with each image that the network's first conv reads."""
    images: list[int] = []
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    first.register_forward_hook(lambda _, inputs, __: images.append(len(inputs[0])))
    return images


def test_grad_cam_takes_three_passes_at_most_with_the_answer_itself(make: Make) -> None:
    from resnetkit import explain

    classifier = make()
    passes = count_passes(classifier.network)
    explain(classifier, [np.zeros((20, 20, 3), np.uint8)])
    assert sum(passes) <= 3


def test_gradients_are_drawn_whatever_the_caller_has_turned_off(make: Make, noise: Noise) -> None:
    classifier = make()
    (pixels,) = noise(classifier, 1)
    expected = METHODS["grad_cam"].compute(*asked_of(classifier), pixels)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            np.testing.assert_array_equal(METHODS["grad_cam"].compute(*asked_of(classifier), pixels), expected)


def test_masks_cover_every_pixel_alike() -> None:
    windows = window_masks(224)
    assert windows.shape == (169, 224, 224)
    assert set(np.unique(windows)) == {0, 1}
    covered = (~windows).sum((1, 2))
    assert (covered == 32 * 32).all()
    for size in (8, 23, 28, 32, 225):
        assert not window_masks(size).all(0).any(), "no pixel is never covered"
        masks = random_masks(size, range(300))
        assert (masks.shape, masks.min() >= 0, masks.max() <= 1) == ((300, size, size), True, True)
        np.testing.assert_allclose(masks.mean(0), 0.5, atol=0.12)
    np.testing.assert_array_equal(random_masks(28, range(300))[40:47], random_masks(28, range(40, 47)))


def test_methods_are_found_by_name_once_each_in_order() -> None:
    assert [method.name for method in find_methods(("rise", "grad_cam", "rise"))] == ["rise", "grad_cam"]
    assert [method.name for method in find_methods(("all",))] == list(METHODS)
