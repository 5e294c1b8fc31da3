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


def grad_cam_plus_plus(subject: Subject, question: Question, pixels: UInt8Images) -> Heat:
    """Weight each channel by what grows the score at any place of it (arXiv:1710.11063, equations 10, 11 and 19).

    Gradients below 0 count as 0, and the others by how much of the score's growth is due to their place alone. The
    paper's factor exp(score), the same at all places, is left out. Unit: that of the score; 0 and more.
    """
    maps, gradients = _map_and_gradient(subject, question, pixels)
    squared = gradients.square()
    whole = 2 * squared + maps.sum((2, 3), keepdim=True) * squared * gradients
    alone = torch.where(whole != 0, squared / torch.where(whole != 0, whole, 1), 0)
    return _to_image(subject, ((alone * gradients.relu()).sum((2, 3), keepdim=True) * maps).sum(1))


def layer_cam(subject: Subject, question: Question, pixels: UInt8Images) -> Heat:
    """Weight each value of the map by its own gradient where that is above 0 (LayerCAM, equation 6).

    So earlier, finer maps can be read too (doi:10.1109/TIP.2021.3089943). Unit: that of the score; 0 and more.
    """
    maps, gradients = _map_and_gradient(subject, question, pixels)
    return _to_image(subject, (gradients.relu() * maps).sum(1))


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
