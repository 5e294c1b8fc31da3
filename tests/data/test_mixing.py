"""Mixup and CutMix: shares of pixels and of targets agree, pairs stay pairs, slices stay slices."""

import numpy as np
import pytest
import torch
from torch import Tensor

from resnetkit.data.mixing import mix, one_hot
from resnetkit.data.spec import Augmentation

MIXUP, CUTMIX = Augmentation(mixup_alpha=0.4), Augmentation(cutmix_alpha=1.0)
BOTH = Augmentation(mixup_alpha=0.4, cutmix_alpha=1.0)
SEED, EPOCH = 5, 3


def batch(num_images: int = 8, size: int = 10) -> tuple[Tensor, Tensor, np.ndarray]:
    """Images of one colour each, a class of their own each, and scattered indices."""
    images = torch.arange(1.0, num_images + 1)[:, None, None, None].expand(num_images, 3, size, size + 2)
    return images.contiguous(), torch.eye(num_images), np.arange(num_images) * 7 + 3


def mixed(augmentation: Augmentation, num_images: int = 8, epoch: int = EPOCH) -> tuple[Tensor, Tensor]:
    images, targets, indices = batch(num_images)
    return mix(images, targets, augmentation, SEED, epoch, indices)


def test_one_hot() -> None:
    targets = one_hot(torch.tensor([2, 0]), 3)
    assert targets.dtype == torch.float32
    assert targets.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_off_returns_the_very_same_tensors() -> None:
    images, targets, indices = batch()
    result = mix(images, targets, Augmentation(), SEED, EPOCH, indices)
    assert result[0] is images
    assert result[1] is targets


@pytest.mark.parametrize("augmentation", [MIXUP, CUTMIX, BOTH], ids=["mixup", "cutmix", "both"])
class TestAnyMix:
    def test_targets_sum_to_one_and_name_the_pair_only(self, augmentation: Augmentation) -> None:
        _, targets = mixed(augmentation)
        torch.testing.assert_close(targets.sum(1), torch.ones(8))
        assert bool((targets >= 0).all())
        pairs = torch.arange(8) // 2
        assert not targets[pairs[:, None] != pairs[None, :]].any()

    def test_the_targets_share_is_the_share_of_the_pixels(self, augmentation: Augmentation) -> None:
        images, targets = mixed(augmentation, 64)
        own = torch.arange(1.0, 65)
        other = torch.arange(1.0, 65).view(32, 2).flip(1).reshape(64)
        stays = targets.diagonal()
        expected = own * stays + other * (1 - stays)
        torch.testing.assert_close(images.mean((1, 2, 3)), expected, rtol=1e-4, atol=1e-4)

    def test_a_slice_of_the_batch_is_mixed_as_in_the_whole(self, augmentation: Augmentation) -> None:
        images, targets, indices = batch()
        whole = mix(images, targets, augmentation, SEED, EPOCH, indices)
        for size in (2, 4):
            for start in range(0, 8, size):
                part = slice(start, start + size)
                piece = mix(images[part], targets[part], augmentation, SEED, EPOCH, indices[part])
                assert torch.equal(piece[0], whole[0][part])
                assert torch.equal(piece[1], whole[1][part])

    def test_the_last_of_an_odd_batch_stays(self, augmentation: Augmentation) -> None:
        images, targets = mixed(augmentation, 7)
        assert bool((images[6] == 7).all())
        assert targets[6].tolist() == [0, 0, 0, 0, 0, 0, 1]
        assert images.shape == (7, 3, 10, 12)

    def test_the_input_is_not_overwritten(self, augmentation: Augmentation) -> None:
        images, targets, indices = batch()
        mix(images, targets, augmentation, SEED, EPOCH, indices)
        assert torch.equal(images, batch()[0])
        assert torch.equal(targets, batch()[1])

    def test_epochs_mix_differently(self, augmentation: Augmentation) -> None:
        assert not torch.equal(mixed(augmentation)[1], mixed(augmentation, epoch=EPOCH + 1)[1])
        assert torch.equal(mixed(augmentation)[1], mixed(augmentation)[1])


def test_mixup_blends_all_pixels_alike() -> None:
    images, _ = mixed(MIXUP)
    flat = images.flatten(1)
    torch.testing.assert_close(flat, flat[:, :1].expand_as(flat))
    assert not torch.equal(images, batch()[0])


def test_cutmix_pastes_one_rectangle_of_the_partner_at_its_place() -> None:
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.normal(size=(64, 3, 10, 12)))
    result, targets = mix(images, torch.eye(64), CUTMIX, SEED, EPOCH, np.arange(64))
    partner = np.arange(64) ^ 1
    kept = (result == images).all(1)
    pasted = (result == images[partner]).all(1)
    assert bool((kept ^ pasted).all()), "every pixel is one or the other, unmixed"
    rows, columns = pasted.any(2), pasted.any(1)
    assert torch.equal(pasted, rows[:, :, None] & columns[:, None, :])
    for side in (rows, columns):
        edges = torch.diff(side.int(), prepend=torch.zeros(64, 1), append=torch.zeros(64, 1)).abs().sum(1)
        assert bool((edges <= 2).all()), "rows and columns without a gap"
    share = pasted.double().mean((1, 2))
    torch.testing.assert_close(targets[np.arange(64), partner].double(), share, rtol=0, atol=1e-6)
    assert float(share.max()) > 0.4
    assert float(share.min()) < 0.1


def test_partners_are_each_others() -> None:
    _, targets = mixed(BOTH, 64)
    partner = np.arange(64) ^ 1
    mixes_with = (targets > 0) & ~torch.eye(64, dtype=torch.bool)
    has_partner = mixes_with.any(1)
    assert has_partner.float().mean() > 0.9
    assert bool((mixes_with.int().argmax(1)[has_partner] == torch.from_numpy(partner)[has_partner]).all())


@pytest.mark.parametrize(("alpha", "std"), [(0.2, 0.4226), (1.0, 0.2887), (8.0, 0.1213)])
def test_mixup_shares_follow_the_beta_distribution(alpha: float, std: float) -> None:
    num = 4000
    images, labels = torch.zeros(num, 1, 1, 1), torch.arange(num) % 2
    _, targets = mix(images, one_hot(labels, 2), Augmentation(mixup_alpha=alpha), SEED, EPOCH, np.arange(num))
    stays = targets[torch.arange(num), labels]
    assert float(stays.mean()) == pytest.approx(0.5, abs=4 * std / num**0.5)
    assert float(stays.std()) == pytest.approx(std, rel=0.05)


def test_with_both_on_each_image_draws_one_evenly() -> None:
    num = 1000
    images = torch.arange(num) % 2 * torch.ones(1, 16, 16, 1)
    images = images.permute(3, 0, 1, 2).contiguous()
    result, _ = mix(images, torch.eye(num), BOTH, SEED, EPOCH, np.arange(num))
    blended = ((result > 0.001) & (result < 0.999)).flatten(1).any(1)
    # Some mixup shares are so near 0 or 1 that the blend cannot be told from a whole image.
    assert 0.35 < float(blended.float().mean()) < 0.52


def test_memory_is_channels_last_for_the_convs_that_follow() -> None:
    images, _ = mixed(BOTH)
    assert images.is_contiguous(memory_format=torch.channels_last)
