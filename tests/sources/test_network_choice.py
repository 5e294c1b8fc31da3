"""The network that suits: more images, larger ones, fewer cores and less time ask for a cheaper one."""

import pytest

from resnetkit.anatomy.cost import count_cost
from resnetkit.models.catalog import find_entry
from resnetkit.sources.network_choice import A_GPU, PASSES, PASSES_OF_FEW, Effort, Startable, choose_start, cores
from resnetkit.sources.published import TO_START_FROM, find_published

NAMES = TO_START_FROM[:5]


def startable(name: str, image_size_px: int = 224) -> Startable:
    (file, *_) = find_published(name)
    cost = count_cost(find_entry(file.model).spec, image_size_px).multiply_adds
    return Startable(name, file.model, cost, file.top1, is_preferred=True)


@pytest.mark.parametrize(
    ("num_images", "num_cores", "minutes", "image_size_px", "expected"),
    [
        (100, 2, 10, 224, "resnet50d"),
        (550, 2, 10, 224, "resnet50d"),
        (550, 2, 8, 224, "resnet26d"),  # cheaper than ResNet-34, and better
        (550, 2, 5, 224, "resnet18"),
        (550, 2, 1, 224, "resnet18"),  # not in time, but the nearest to it
        (550, 2, 6, 160, "resnet50d"),  # half the pixels
        (5_000, 2, 10, 224, "resnet18"),
        (5_000, 16, 10, 224, "resnet26d"),
        (50_000, 16, 600, 224, "resnet50d"),
    ],
)
def test_the_choice_weighs_images_size_cores_and_time(
    num_images: int, num_cores: int, minutes: float, image_size_px: int, expected: str
) -> None:
    weights = [startable(name, image_size_px) for name in NAMES]
    best, why = choose_start(weights, Effort(num_images, cores(num_cores), minutes))
    assert best.network == expected
    assert f"{num_images:,} images on {num_cores} cores" in why


@pytest.mark.parametrize(("passes", "expected"), [(PASSES, "resnet18"), (PASSES_OF_FEW, "resnet50d")])
def test_few_photographs_pass_seldom_so_that_a_larger_network_fits(passes: int, expected: str) -> None:
    best, _ = choose_start([startable(name) for name in NAMES], Effort(550, cores(2), 5, passes))
    assert best.network == expected


def test_a_gpu_is_called_one_and_is_faster_than_cores() -> None:
    best, why = choose_start([startable(name) for name in NAMES], Effort(5_000, A_GPU))
    assert best.network == "resnet50d"
    assert "5,000 images on a GPU allow" in why


def test_of_one_network_the_preferred_weights_are_taken_whatever_their_accuracy() -> None:
    plain, better = Startable("plain", "resnet18", 10, 0.69, True), Startable("better", "resnet18", 10, 0.73)
    for weights in ((plain, better), (better, plain)):
        best, why = choose_start(weights, Effort(1, cores(1)))
        assert best == plain
        assert "the only network at hand" in why


def test_weights_of_unknown_accuracy_are_not_beaten_by_smaller_ones() -> None:
    mine, published = Startable("mine", "resnet50_v1", 4, None), Startable("published", "resnet18", 2, 0.7)
    assert choose_start((mine, published), Effort(1, cores(1)))[0] == mine
