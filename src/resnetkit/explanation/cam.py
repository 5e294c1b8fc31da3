"""Methods that read a feature map: its channels, weighted and added up, then enlarged to the image (bilinear)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from resnetkit.explanation.explanation import Heat
from resnetkit.explanation.subject import Question, Subject, gradient_of
from resnetkit.images.types import UInt8Images
from resnetkit.machine.device import exact_float32


def grad_cam(subject: Subject, question: Question, pixels: UInt8Images) -> Heat:
    """Weight each channel by the mean of its gradient, and keep what is above 0 (arXiv:1610.02391, equations 1 and 2).

    Unit: that of the score; 0 and more. Two forward passes at most, and a gradient of what comes behind the map.
    """
    maps, gradients = _map_and_gradient(subject, question, pixels)
    return _to_image(subject, (gradients.mean((2, 3), keepdim=True) * maps).sum(1))


def _map_and_gradient(subject: Subject, question: Question, pixels: UInt8Images) -> tuple[Tensor, Tensor]:
    """The map that the question names and the score's gradient by it, each ``(V, C, h, w)``."""
    network, views = subject.network, subject.views(pixels)
    with torch.no_grad(), exact_float32(views.device):
        maps = network.forward_to(question.layer, views)
    return maps, gradient_of(lambda x: question.score(network.forward_from(question.layer, x)), maps)


def _to_image(subject: Subject, maps: Tensor) -> Heat:
    """Keep what is above 0 of maps ``(V, h, w)``, enlarged to the views' size."""
    side = subject.preprocessing.image_size_px
    enlarged = F.interpolate(maps.relu()[:, None], (side, side), mode="bilinear")
    return subject.merge(enlarged[:, 0])
