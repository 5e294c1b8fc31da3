"""What a network that is built really has and does, noted in a forward pass."""

import torch
from torch import Tensor, nn

from resnetkit.anatomy.cost import Cost
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ResNetSpec


def measure_cost(spec: ResNetSpec, image_size_px: int) -> Cost:
    """The cost as the modules have it, and as they are called."""
    with torch.device("meta"):
        network = ResNet(spec).eval()
        images = torch.empty(1, spec.in_channels, image_size_px, image_size_px)
    cost = Cost(sum(parameter.numel() for parameter in network.parameters()))

    def note(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal cost
        assert isinstance(module.weight, Tensor)
        cost += Cost(0, output.numel() * module.weight[0].numel(), output.numel(), 1)

    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            module.register_forward_hook(note)
    network(images)
    return cost
