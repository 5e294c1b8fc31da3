"""v1 and v1.5 networks against plain ones written as everyone writes them: same keys, same logits.

The reference here shares no code with the package: it is the class-per-block network of torchvision and of the
tutorials, with the stride's place and the biases as arguments.
"""

import pytest
import torch
from torch import Tensor, nn

from resnetkit.models.resnet import create_model


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(
        self, in_channels: int, width: int, stride: int, bias: bool, skip_bias: bool, relu_before_add: bool
    ) -> None:
        super().__init__()
        self.relu_before_add = relu_before_add
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride > 1 or in_channels != width:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, width, 1, stride, bias=skip_bias), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return torch.relu((torch.relu(x) if self.relu_before_add else x) + skip)


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int, strides: tuple[bool, bool]) -> None:
        super().__init__()
        first, second = (stride if here else 1 for here in strides)
        self.conv1 = nn.Conv2d(in_channels, width, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = None
        if stride > 1 or in_channels != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        return torch.relu(self.bn3(self.conv3(x)) + skip)


class PlainlyWritten(nn.Module):
    """ResNet-18 (two convs a block) or ResNet-50 (three)."""

    def __init__(
        self,
        *,
        bottleneck: bool,
        widths: tuple[int, ...],
        num_classes: int,
        stride_on_3x3: bool = True,
        biases: tuple[bool, bool, bool] = (False, False, False),
        relu_before_add: bool = False,
    ) -> None:
        super().__init__()
        stem_bias, bias, skip_bias = biases
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=stem_bias)
        self.bn1 = nn.BatchNorm2d(64)
        channels = 64
        depths = (3, 4, 6, 3) if bottleneck else (2, 2, 2, 2)
        for number, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
            stage = nn.Sequential()
            for position in range(depth):
                stride = 2 if number > 1 and position == 0 else 1
                if bottleneck:
                    stage.append(Bottleneck(channels, width, stride, (not stride_on_3x3, stride_on_3x3)))
                    channels = 4 * width
                else:
                    stage.append(BasicBlock(channels, width, stride, bias, skip_bias, relu_before_add))
                    channels = width
            self.add_module(f"layer{number}", stage)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = nn.functional.max_pool2d(x, 3, 2, padding=1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        x = nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)
        logits: Tensor = self.fc(x)
        return logits


NETWORKS = {
    "resnet18": {"bottleneck": False},
    "resnet50": {"bottleneck": True},
    "resnet50_v1": {"bottleneck": True, "stride_on_3x3": False},
    "tutorial_resnet50": {"bottleneck": True},
    "tutorial_resnet18_bias": {"bottleneck": False, "biases": (True, True, True)},
    "tutorial_resnet18_block_bias": {"bottleneck": False, "biases": (False, True, False), "relu_before_add": True},
}
WIDTHS = (8, 12, 16, 24)


def randomize(network: nn.Module) -> nn.Module:
    """Statistics and biases away from 0 and 1, where a wrong wiring could hide."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, std=0.3)
            assert layer.running_mean is not None
            assert layer.running_var is not None
            nn.init.normal_(layer.running_mean, std=0.3)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
    return network


def reference(name: str, widths: tuple[int, ...] = WIDTHS, num_classes: int = 7) -> nn.Module:
    return PlainlyWritten(widths=widths, num_classes=num_classes, **NETWORKS[name])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NETWORKS)
def test_full_size_state_dict_has_the_same_keys_and_shapes(name: str) -> None:
    with torch.device("meta"):
        theirs = reference(name, (64, 128, 256, 512), 1000).state_dict()
        ours = create_model(name).state_dict()
    assert {key: tensor.shape for key, tensor in ours.items()} == {key: tensor.shape for key, tensor in theirs.items()}
    assert list(ours) == list(theirs), "the order of the keys is part of a saved file too"


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(32, 32), (45, 37)], ids=str)
def test_same_weights_give_the_same_logits(name: str, size: tuple[int, int]) -> None:
    theirs = randomize(reference(name)).double().eval()
    ours = create_model(name, widths=WIDTHS, num_classes=7).double().eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randn(2, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-9, atol=1e-9)


def test_training_mode_gives_the_same_gradients_and_statistics() -> None:
    theirs = reference("resnet50").double()
    ours = create_model("resnet50", widths=WIDTHS, num_classes=7).double()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    for network in (ours, theirs):
        network(images).logsumexp(1).sum().backward()
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def test_v1_weights_fit_v1_5_but_mean_something_else() -> None:
    theirs = randomize(reference("resnet50_v1")).eval()
    wrong = create_model("resnet50", widths=WIDTHS, num_classes=7).eval()
    wrong.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert not torch.allclose(wrong(images), theirs(images), rtol=0.1)
