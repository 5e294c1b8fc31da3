"""Linear CKA: answers that are known."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from resnetkit.analysis.similarity import Features, block_features, linear_cka, measure_similarity
from resnetkit.analysis.subject import Subject

NUM_IMAGES = 60


@pytest.mark.parametrize("num_features", [20, 200])  # fewer than images, and more
def test_rotation_scale_and_shift_change_nothing(num_features: int) -> None:
    x = torch.randn(NUM_IMAGES, num_features)
    rotation, _ = torch.linalg.qr(torch.randn(num_features, num_features))
    for other in (x, 3 * x, x + 5, x @ rotation):
        assert linear_cka(Features(x), Features(other)) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("num_features", [20, 2000])
def test_independent_features_are_not_alike_however_many(num_features: int) -> None:
    values = [
        linear_cka(Features(torch.randn(NUM_IMAGES, num_features)), Features(torch.randn(NUM_IMAGES, num_features)))
        for _ in range(20)
    ]
    assert abs(sum(values)) / 20 < 0.05


@pytest.mark.parametrize("num_features", [(20, 30), (20, 200), (200, 300)])
def test_over_features_or_over_images_it_is_one_formula(num_features: tuple[int, int]) -> None:
    """Against the estimate of independence without bias, as it is written for products of images."""
    shared = torch.randn(NUM_IMAGES, 5)
    x, y = (torch.cat([shared, torch.randn(NUM_IMAGES, more)], dim=1) for more in num_features)

    def independence(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        k, m = ((f.double() @ f.double().T).fill_diagonal_(0) for f in (x, y))
        n, ones = NUM_IMAGES, torch.ones(NUM_IMAGES, dtype=torch.float64)
        mixed = ones @ k @ ones * (ones @ m @ ones) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (ones @ k @ m @ ones)
        return (torch.trace(k @ m) + mixed) / (n * (n - 3))

    expected = independence(x, y) / (independence(x, x) * independence(y, y)).sqrt()
    assert linear_cka(Features(x), Features(y)) == pytest.approx(float(expected), abs=1e-4)


def test_what_does_not_vary_is_like_nothing() -> None:
    constant = Features(torch.ones(NUM_IMAGES, 20))
    assert linear_cka(constant, Features(torch.randn(NUM_IMAGES, 20))) == 0


def test_the_matrix_is_of_the_maps_that_blocks_hand_on(
    subject_of: Callable[..., Subject], inputs: torch.Tensor
) -> None:
    subject = subject_of()
    names, values = measure_similarity(subject.network, subject.shown())
    assert names == ("stem", *(name for name, _ in subject.network.iter_blocks()))
    assert all(row[i] == pytest.approx(1, abs=1e-6) for i, row in enumerate(values))
    with torch.inference_mode():
        maps = [x.flatten(1).clone() for x in subject.network.forward_stages(inputs).values()]
    last = [names.index(name) for name in ("stem", "layer1.2", "layer2.2")]
    for i, one in zip(last, maps, strict=True):
        for j, other in zip(last, maps, strict=True):
            assert values[i][j] == pytest.approx(linear_cka(Features(one), Features(other)), abs=1e-5)


def test_maps_that_are_too_large_are_averaged_over_squares_of_pixels(
    subject_of: Callable[..., Subject], inputs: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = subject_of()
    monkeypatch.setattr("resnetkit.analysis.similarity.MOST_NUMBERS", 12 * 4 * 8 * 8)  # of the stem's 12 × 4 × 16 × 16
    _, found = next(block_features(subject.network, subject.shown()))
    with torch.inference_mode():
        smaller = F.avg_pool2d(subject.network.stem(inputs), 2)
    assert found.squared_length == pytest.approx(Features(smaller.flatten(1)).squared_length, rel=1e-5)
