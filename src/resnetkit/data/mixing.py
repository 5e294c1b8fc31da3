"""Mixing pairs of images and their targets: mixup and CutMix.

Image i mixes with its neighbour i ^ 1 in the batch. Batches are in random order, so that is a random partner, and
a batch cut into even slices for several processes still holds every pair whole.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from resnetkit.data.randomness import Purpose, uniform
from resnetkit.data.spec import Augmentation
from resnetkit.images.types import Indices
from resnetkit.machine.device import to_device

Draws = npt.NDArray[np.float64]


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """Targets ``(N, K)`` of labels ``(N,)``."""
    return torch.nn.functional.one_hot(labels, num_classes).float()


def mix(
    images: Tensor, targets: Tensor, augmentation: Augmentation, seed: int, epoch: int, indices: Indices
) -> tuple[Tensor, Tensor]:
    """Mixed images ``(N, C, H, W)`` and targets ``(N, K)``.

    With mixup (arXiv:1710.09412) and CutMix (arXiv:1905.04899) both on, each image draws one of them evenly. The
    share that stays is drawn from Beta(alpha, alpha); for CutMix the targets follow the area really pasted.
    """
    if not (augmentation.mixup_alpha or augmentation.cutmix_alpha):
        return images, targets
    from scipy.special import betaincinv  # a tenth of a second that most runs need not wait

    draws = uniform(seed, epoch, indices, Purpose.MIX, 4)
    cutmix_rate = (augmentation.cutmix_alpha > 0) / ((augmentation.mixup_alpha > 0) + (augmentation.cutmix_alpha > 0))
    by_cutmix = draws[:, 0] < cutmix_rate
    alpha = np.where(by_cutmix, augmentation.cutmix_alpha, augmentation.mixup_alpha)
    stays = betaincinv(alpha, alpha, draws[:, 1])

    partner = _partners(len(images))
    paired = partner != np.arange(len(images))
    pasted = _boxes(1 - stays, draws[:, 2:], images.shape[2], images.shape[3]) & (by_cutmix & paired)[:, None, None]
    stays = np.where(by_cutmix | ~paired, 1 - pasted.mean((1, 2)), stays)

    target_share = to_device(stays.astype(np.float32), images.device)[:, None]
    # Per pixel, the share that stays: 0 or 1 in CutMix, the same everywhere in mixup.
    pixel_share = torch.where(
        to_device(by_cutmix, images.device)[:, None, None, None],
        (~to_device(pasted, images.device)[:, None]).float(),
        target_share[:, :, None, None],
    )
    other = to_device(partner, images.device)
    mixed_images = images * pixel_share + images[other] * (1 - pixel_share)
    mixed_targets = targets * target_share + targets[other] * (1 - target_share)
    return mixed_images.contiguous(memory_format=torch.channels_last), mixed_targets


def _partners(num_images: int) -> Indices:
    partner = np.arange(num_images) ^ 1
    if num_images % 2:
        partner[-1] = num_images - 1  # the last of an odd batch stays as it is
    return partner


def _boxes(area: Draws, centers: Draws, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Rectangles of the image's shape around a random centre, cut at its edges, bool ``(N, H, W)``."""
    half = np.sqrt(area)[:, None] / 2
    rows = np.abs((np.arange(height) + 0.5) / height - centers[:, :1]) < half
    columns = np.abs((np.arange(width) + 0.5) / width - centers[:, 1:]) < half
    return rows[:, :, None] & columns[:, None, :]
