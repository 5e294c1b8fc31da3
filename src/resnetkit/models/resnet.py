"""ResNet: stem, stages of residual blocks, tail, pooling, head."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from resnetkit.config import override
from resnetkit.errors import require
from resnetkit.models.block import ResidualBlock
from resnetkit.models.catalog import find_entry
from resnetkit.models.initialization import draw, initialize
from resnetkit.models.layers import make_conv, make_max_pool, make_norm
from resnetkit.models.spec import ResNetSpec


class ResNet(nn.Module):
    """Maps images ``(N, C, H, W)`` to logits ``(N, K)``; without a head to features, see :meth:`embed`.

    Any image size from 8×8 up works. Children are named as in torchvision: ``conv1 bn1 … layer1.0.conv1 … fc``.
    """

    def __init__(self, spec: ResNetSpec) -> None:
        super().__init__()
        self.spec = spec
        preact = spec.block.order.preact
        self._add_stem(preact)

        channels = spec.stem.widths[-1]
        self.stage_names = tuple(f"layer{i + 1}" for i in range(len(spec.depths)))
        for i, name in enumerate(self.stage_names):
            blocks = []
            strided = 0 if spec.strided_block == "first" else spec.depths[i] - 1
            for j in range(spec.depths[i]):
                block = spec.first_block if i == j == 0 and spec.first_block is not None else spec.block
                stride = spec.strides[i] if j == strided else 1
                blocks.append(
                    ResidualBlock(block, channels, spec.widths[i], stride, norm=spec.norm, padding=spec.padding)
                )
                channels = blocks[-1].out_channels
            self.add_module(name, nn.Sequential(*blocks))

        self.num_features = channels
        tail = preact if spec.tail is None else spec.tail
        self.norm = make_norm(spec.norm, channels) if "bn" in tail else nn.Identity()
        self.act = nn.ReLU(inplace="bn" in tail) if "act" in tail else nn.Identity()
        self.fc = nn.Identity() if spec.num_classes is None else nn.Linear(channels, spec.num_classes)
        initialize(self, spec.initialization)

    def _add_stem(self, preact: tuple[str, ...]) -> None:
        spec, stem = self.spec, self.spec.stem
        steps = tuple(s for s in ("bn", "act") if s not in preact) if stem.steps is None else stem.steps
        convs: list[nn.Module] = []
        channels, last = spec.in_channels, len(stem.widths) - 1
        for i, (kernel_size, width) in enumerate(zip(stem.kernel_sizes, stem.widths, strict=True)):
            stride = stem.stride if i == 0 else 1
            convs.append(
                make_conv(channels, width, kernel_size, stride=stride, bias=stem.bias, padding=spec.padding)
            )  # fmt: skip
            if i < last:
                convs += [make_norm(spec.norm, width), nn.ReLU(inplace=True)]
            channels = width
        self.conv1 = convs[0] if last == 0 else nn.Sequential(*convs)
        self.bn1 = make_norm(spec.norm, channels) if "bn" in steps else nn.Identity()
        self.act1 = nn.ReLU(inplace=True) if "act" in steps else nn.Identity()
        self.maxpool = (
            nn.Identity()
            if stem.pool == "none"
            else make_max_pool(spec.padding, zero_padded=stem.pool == "zero_padded_max")
        )

    def forward_features(self, images: Tensor) -> Tensor:
        """Last feature map, ``(N, num_features, h, w)``."""
        x: Tensor = self.maxpool(self.act1(self.bn1(self.conv1(images))))
        for name in self.stage_names:
            x = getattr(self, name)(x)
        features: Tensor = self.act(self.norm(x))
        return features

    def embed(self, images: Tensor) -> Tensor:
        """Pooled features ``(N, num_features)``; the feature map itself where pooling is ``none``."""
        features = self.forward_features(images)
        match self.spec.pooling:
            case "avg":
                return features.mean((2, 3))
            case "max":
                return features.amax((2, 3))
            case "none":
                return features

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(N, K)``, or :meth:`embed` where the network has no head."""
        logits: Tensor = self.fc(self.embed(images))
        return logits

    def reset_head(self, num_classes: int) -> None:
        """Replace the head by a fresh one for ``num_classes`` classes."""
        require(num_classes >= 1, f"num_classes must be at least 1, got {num_classes}")
        self.spec = override(self.spec, {"num_classes": num_classes})
        weight = next(self.parameters())
        self.fc = nn.Linear(self.num_features, num_classes, device=weight.device, dtype=weight.dtype)
        draw(self.fc, self.spec.initialization.head)


def create_model(model: str | ResNetSpec, **settings: Any) -> ResNet:
    """A network by catalog name or spec, with fields of the spec replaced.

    >>> create_model("resnet20", num_classes=100, in_channels=1).fc.out_features
    100

    Raises:
        ResnetkitError: for an unknown name, field or value, with the nearest one.
    """
    spec = find_entry(model).spec if isinstance(model, str) else model
    return ResNet(override(spec, settings) if settings else spec)
