"""The tutorials' networks as the tutorials write them: their classes, with the attributes that name saved weights.

They share no code with the package. Where a tutorial's script has a bug that keeps it from running, or from running
at another image size than its own, it is mended here and named; docs/tutorials.md lists them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# --- ResNet-50 from bottlenecks ---


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int = 1, *, downsampling: bool = False) -> None:
        super().__init__()
        self.downsampling = downsampling
        self.bottleneck = nn.Sequential(
            nn.Conv2d(in_channels, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width * self.expansion, 1, bias=False),
            nn.BatchNorm2d(width * self.expansion),
        )
        if downsampling:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, width * self.expansion, 1, stride, bias=False),
                nn.BatchNorm2d(width * self.expansion),
            )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.bottleneck(x)
        out += self.downsample(x) if self.downsampling else x
        activated: Tensor = self.relu(out)
        return activated


class BottleneckResNet(nn.Module):
    """``pool_px`` is 7 in the tutorial, so that nothing but 224 pixels fits its head."""

    def __init__(self, blocks: tuple[int, ...] = (3, 4, 6, 3), num_classes: int = 1000, pool_px: int = 7) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, padding=3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, padding=1),
        )
        self.layer1 = self.make_layer(64, 64, blocks[0], 1)
        self.layer2 = self.make_layer(256, 128, blocks[1], 2)
        self.layer3 = self.make_layer(512, 256, blocks[2], 2)
        self.layer4 = self.make_layer(1024, 512, blocks[3], 2)
        self.avgpool = nn.AvgPool2d(pool_px, stride=1)
        self.liner = nn.Linear(2048, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def make_layer(self, in_channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
        rest = [Bottleneck(4 * width, width) for _ in range(1, blocks)]
        return nn.Sequential(Bottleneck(in_channels, width, stride, downsampling=True), *rest)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        x = self.avgpool(x)
        logits: Tensor = self.liner(x.view(x.size(0), -1))
        return logits


# --- Fashion-MNIST: the pre-activated [2, 2, 2], its Keras layers in PyTorch ---


def same_conv(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """``Conv2D(padding='same')``: an odd pixel of padding goes to the end."""
    missing = [
        max((-(-size // conv.stride[0]) - 1) * conv.stride[0] + conv.kernel_size[0] - size, 0) for size in x.shape[2:]
    ]
    (top, left), (bottom, right) = [m // 2 for m in missing], [m - m // 2 for m in missing]
    return F.conv2d(F.pad(x, (left, right, top, bottom)), conv.weight, stride=conv.stride)


def keras_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class PreactBlock(nn.Module):
    def __init__(self, in_channels: int, channels: int, stride: int = 1, *, residual_path: bool = False) -> None:
        super().__init__()
        self.residual_path = residual_path
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, bias=False)
        self.bn1 = keras_norm(in_channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, bias=False)
        self.bn2 = keras_norm(channels)
        self.downsample = (
            nn.Sequential(keras_norm(in_channels), nn.ReLU(), nn.Conv2d(in_channels, channels, 1, stride, bias=False))
            if residual_path
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        skip = x
        out = same_conv(torch.relu(self.bn1(x)), self.conv1)
        out = same_conv(torch.relu(self.bn2(out)), self.conv2)
        if self.downsample is not None:
            norm, relu, conv = self.downsample
            assert isinstance(conv, nn.Conv2d)
            skip = same_conv(relu(norm(x)), conv)
        return out + skip


class PreactResNet(nn.Module):
    def __init__(self, block_list: tuple[int, ...] = (2, 2, 2), num_classes: int = 10, filters: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, filters, 3, bias=False)
        channels = filters
        for number, blocks in enumerate(block_list):
            stage = nn.Sequential()
            for position in range(blocks):
                opens = number > 0 and position == 0
                stage.append(PreactBlock(channels, filters, 2 if opens else 1, residual_path=opens))
                channels = filters
            self.add_module(f"layer{number + 1}", stage)
            filters *= 2
        self.norm = keras_norm(channels)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = same_conv(x, self.conv1)
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(torch.relu(self.norm(x)).mean((2, 3)))
        return logits


# --- Fashion-MNIST: the ResNet-18 in the comments, a bias on every conv ---


class BiasedBlock(nn.Module):
    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + (x if self.downsample is None else self.downsample(x)))


class BiasedResNet18(nn.Module):
    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(BiasedBlock(64, 64), BiasedBlock(64, 64))
        self.layer2 = nn.Sequential(BiasedBlock(64, 128, 2), BiasedBlock(128, 128))
        self.layer3 = nn.Sequential(BiasedBlock(128, 256, 2), BiasedBlock(256, 256))
        self.layer4 = nn.Sequential(BiasedBlock(256, 512, 2), BiasedBlock(512, 512))
        self.fc = nn.Linear(512, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


# --- ResNet-18 of identity and conv blocks ---


def conv_bn_relu_twice(in_channels: int, channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, stride, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )


class IdentityBlock(nn.Module):
    """The tutorial adds in place, onto what the last ReLU keeps for its gradient: that cannot be trained."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.side = conv_bn_relu_twice(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.side(x) + x)


class ConvBlock(nn.Module):
    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.side = conv_bn_relu_twice(in_channels, channels, stride)
        self.shortcut = nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.side(x) + self.shortcut(x))


class IdentityAndConvResNet18(nn.Module):
    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.stage1 = nn.Sequential(IdentityBlock(64), IdentityBlock(64))
        self.stage2 = nn.Sequential(ConvBlock(64, 128, 2), IdentityBlock(128))
        self.stage3 = nn.Sequential(ConvBlock(128, 256, 2), IdentityBlock(256))
        self.stage4 = nn.Sequential(ConvBlock(256, 512, 2), IdentityBlock(512))
        self.fc = nn.Linear(512, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)
        x = self.stage4(self.stage3(self.stage2(self.stage1(x))))
        logits: Tensor = self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


# --- ResNet50V2 ---


class Block2(nn.Module):
    def __init__(self, in_channels: int, width: int, stride: int = 1, *, conv_shortcut: bool = False) -> None:
        super().__init__()
        self.preact = nn.Sequential(nn.BatchNorm2d(in_channels), nn.ReLU(True))
        self.conv_shortcut = conv_shortcut
        if conv_shortcut:
            self.short: nn.Module = nn.Conv2d(in_channels, 4 * width, 1, stride, bias=False)
        elif stride > 1:
            self.short = nn.MaxPool2d(1, stride)
        else:
            self.short = nn.Identity()
        self.conv1 = nn.Sequential(nn.Conv2d(in_channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True))
        self.conv2 = nn.Sequential(
            nn.Conv2d(width, width, 3, stride, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)
        )
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        activated = self.preact(x)
        skip = self.short(activated if self.conv_shortcut else x)
        out: Tensor = self.conv3(self.conv2(self.conv1(activated))) + skip
        return out


class Stack2(nn.Module):
    def __init__(self, in_channels: int, width: int, blocks: int, stride: int = 2) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            Block2(in_channels, width, conv_shortcut=True),
            *(Block2(4 * width, width) for _ in range(1, blocks - 1)),
            Block2(4 * width, width, stride),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


class ResNet50V2(nn.Module):
    def __init__(
        self,
        *,
        include_top: bool = True,
        preact: bool = True,
        use_bias: bool = True,
        pooling: str | None = None,
        classes: int = 100,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Sequential()
        self.conv1.add_module("conv", nn.Conv2d(3, 64, 7, 2, padding=3, bias=use_bias))
        if not preact:
            self.conv1.add_module("bn", nn.BatchNorm2d(64))
            self.conv1.add_module("relu", nn.ReLU())
        self.conv1.add_module("max_pool", nn.MaxPool2d(3, 2, padding=1))
        self.conv2 = Stack2(64, 64, 3)
        self.conv3 = Stack2(256, 128, 4)
        self.conv4 = Stack2(512, 256, 6)
        self.conv5 = Stack2(1024, 512, 3, stride=1)
        self.post = nn.Sequential()
        if preact:
            self.post.add_module("bn", nn.BatchNorm2d(2048))
            self.post.add_module("relu", nn.ReLU())
        if include_top:
            self.post.add_module("avg_pool", nn.AdaptiveAvgPool2d(1))
            self.post.add_module("flatten", nn.Flatten())
            self.post.add_module("fc", nn.Linear(2048, classes))
        elif pooling == "avg":
            self.post.add_module("avg_pool", nn.AdaptiveAvgPool2d(1))
        elif pooling == "max":
            self.post.add_module("max_pool", nn.AdaptiveMaxPool2d(1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv5(self.conv4(self.conv3(self.conv2(self.conv1(x)))))
        out: Tensor = self.post(x)
        return out
