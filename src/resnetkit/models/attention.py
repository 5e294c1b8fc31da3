"""Channel attention at the end of a branch."""

from __future__ import annotations

from typing import assert_never

from torch import Tensor, nn
from torch.nn import functional as F

from resnetkit.models import spec


class SqueezeExcite(nn.Module):
    """``x * sigmoid(fc2(relu(fc1(mean(x)))))``, a gate per channel (arXiv:1709.01507)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.fc2 = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Gate ``x`` ``(N, C, H, W)``."""
        pooled = x.mean((2, 3), keepdim=True)
        gate: Tensor = self.fc2(F.relu(self.fc1(pooled)))
        return x * gate.sigmoid()


class EfficientChannelGate(nn.Module):
    """``x * sigmoid(conv1d(mean(x)))`` across neighbouring channels (arXiv:1910.03151)."""

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Gate ``x`` ``(N, C, H, W)``."""
        gate: Tensor = self.conv(x.mean((2, 3)).unsqueeze(1)).sigmoid()
        return x * gate.view(x.shape[0], -1, 1, 1)


def make_attention(attention: spec.SomeAttention, channels: int) -> nn.Module:
    """The gate a spec asks for."""
    match attention:
        case spec.SqueezeExcitation():
            return SqueezeExcite(channels, attention.hidden_channels(channels))
        case spec.EfficientChannelAttention():
            return EfficientChannelGate(attention.kernel_size(channels))
        case _:
            assert_never(attention)
