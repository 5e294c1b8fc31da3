"""ResNet: stem, stages of residual blocks, tail, pooling, head."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any, assert_never

from torch import Tensor, nn

from resnetkit.config import override
from resnetkit.errors import require
from resnetkit.models.block import ResidualBlock
from resnetkit.models.catalog import find_entry
from resnetkit.models.initialization import draw, initialize
from resnetkit.models.layers import build_child
from resnetkit.models.plan import map_names, plan_network
from resnetkit.models.spec import ResNetSpec


class ResNet(nn.Module):
    """Maps images ``(N, C, H, W)`` to logits ``(N, K)``; without a head to features, see :meth:`embed`.

    Any image size from 8×8 up works. Children are named as in torchvision: ``conv1 bn1 … layer1.0.conv1 … fc``.

    Attributes:
        num_features: channels of the last feature map, the length of what :meth:`embed` returns.
        stage_channels: channels of each stage's feature map.
    """

    def __init__(self, spec: ResNetSpec) -> None:
        super().__init__()
        self.spec = spec
        parts = plan_network(spec)
        child = partial(build_child, path=[step for part in parts for step in part.steps])
        self.conv1, self.bn1, self.act1, self.maxpool = map(child, ("conv1", "bn1", "act1", "maxpool"))
        stages = {part.ends_with: part.blocks for part in parts if part.blocks}
        for name, blocks in stages.items():
            self.add_module(name, nn.Sequential(*map(ResidualBlock, blocks)))
        self.stage_names = tuple(stages)
        self.stage_channels = tuple(blocks[-1].place.out_channels for blocks in stages.values())
        self.num_features = self.stage_channels[-1]
        self.norm, self.act, self.fc = map(child, ("norm", "act", "fc"))
        initialize(self, spec.initialization)

    def stem(self, images: Tensor) -> Tensor:
        """Map that the first block reads, ``(N, C, h, w)``."""
        x: Tensor = self.maxpool(self.act1(self.bn1(self.conv1(images))))
        return x

    def iter_stages(self, images: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Feature maps ``(N, C, h, w)`` by name, as they come: ``stem``, ``stage1``, ``stage2`` ….

        A stage's map is what its last block returns; where blocks are pre-activated, it is not normalised yet.
        """
        x = self.stem(images)
        yield "stem", x
        for number, name in enumerate(self.stage_names, start=1):
            x = getattr(self, name)(x)
            yield f"stage{number}", x

    def forward_to(self, name: str, images: Tensor) -> Tensor:
        """Run as far as the map ``(N, C, h, w)`` of that name, one of :func:`~resnetkit.models.plan.map_names`."""
        if name == "tail":
            return self.forward_features(images)
        return next(x for stage, x in self.iter_stages(images) if stage == name)

    def forward_from(self, name: str, x: Tensor) -> Tensor:
        """Logits ``(N, K)`` for a map of that name, which :meth:`forward_to` gives; together they are ``forward``."""
        if name == "tail":
            logits: Tensor = self.fc(self._pool(x))
            return logits
        for stage in self.stage_names[map_names(self.spec).index(name) :]:
            x = getattr(self, stage)(x)
        return self.answer_from(x)

    def forward_stages(self, images: Tensor) -> dict[str, Tensor]:
        """All of :meth:`iter_stages`, for a decoder or detector that reads several sizes.

        >>> import torch
        >>> network = create_model("resnet20", num_classes=None)
        >>> {name: tuple(x.shape) for name, x in network.forward_stages(torch.zeros(1, 3, 32, 32)).items()}
        {'stem': (1, 16, 32, 32), 'stage1': (1, 16, 32, 32), 'stage2': (1, 32, 16, 16), 'stage3': (1, 64, 8, 8)}
        """
        return dict(self.iter_stages(images))

    def iter_blocks(self) -> Iterator[tuple[str, ResidualBlock]]:
        """Blocks by name, ``layer1.0`` …, in the order of their calls: each reads what the one before it returned."""
        for name in self.stage_names:
            for position, block in getattr(self, name).named_children():
                yield f"{name}.{position}", block

    def forward_features(self, images: Tensor) -> Tensor:
        """Last feature map, normalised, ``(N, num_features, h, w)``."""
        x = self.stem(images)
        for name in self.stage_names:
            x = getattr(self, name)(x)
        features: Tensor = self.act(self.norm(x))
        return features

    def embed(self, images: Tensor) -> Tensor:
        """Pooled features ``(N, num_features)``; the feature map itself where pooling is ``none``."""
        return self._pool(self.forward_features(images))

    def answer_from(self, x: Tensor) -> Tensor:
        """Logits ``(N, K)`` from what the last block returned: norm, act, pooling, head; as :meth:`forward` ends."""
        logits: Tensor = self.fc(self.pool_features(x))
        return logits

    def pool_features(self, x: Tensor) -> Tensor:
        """Pooled features ``(N, num_features)`` from what the last block returned, as :meth:`embed` ends."""
        return self._pool(self.act(self.norm(x)))

    def _pool(self, features: Tensor) -> Tensor:
        match self.spec.pooling:
            case "avg":
                return features.mean((2, 3))
            case "max":
                return features.amax((2, 3))
            case "none":
                return features
            case _:
                assert_never(self.spec.pooling)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(N, K)``, or :meth:`embed` where the network has no head."""
        logits: Tensor = self.fc(self.embed(images))
        return logits

    def reset_head(self, num_classes: int | None) -> None:
        """Replace the head by a fresh one for ``num_classes`` classes; None: take it away."""
        require(num_classes is None or num_classes >= 1, f"num_classes must be at least 1, got {num_classes}")
        self.spec = override(self.spec, {"num_classes": num_classes})
        if num_classes is None:
            self.fc = nn.Identity()
            return
        weight = next(self.parameters())
        self.fc = head = nn.Linear(self.num_features, num_classes, device=weight.device, dtype=weight.dtype)
        draw(head, self.spec.initialization.head)


def create_model(model: str | ResNetSpec, **settings: Any) -> ResNet:
    """A network by catalog name or spec, with fields of the spec replaced.

    >>> create_model("resnet20", num_classes=100, in_channels=1).fc.out_features
    100

    Raises:
        ResnetkitError: for an unknown name, field or value, with the nearest one.

    Warns:
        UserWarning: of a setting in a name that has no effect, and of a network that cannot learn.
    """
    if isinstance(model, str):
        entry = find_entry(model)
        for text in entry.warnings:
            warnings.warn(text, stacklevel=2)
        model = entry.spec
    return ResNet(override(model, settings) if settings else model)
