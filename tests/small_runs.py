"""Runs that take a second: a small network, few digits, everything random switched on."""

from pathlib import Path

import pytest

from resnetkit.training.run import train

TINY_SETTINGS = {
    "model.depths": [1, 1, 1],
    "epochs": 3,
    "batch_size": 128,
    "ema_decay": 0.9,
    "label_smoothing": 0.1,
    "augmentation.pad_px": 1,
    "augmentation.erase_rate": 0.5,
    "augmentation.brightness": 0.2,
    "augmentation.mixup_alpha": 0.2,
    "augmentation.cutmix_alpha": 1.0,
    "model.block.drop_rate": 0.1,
    "schedule.warmup_share": 0.3,
    "runtime.threads": 1,
    "runtime.precision": "fp32",  # the same arithmetic on every machine
}


@pytest.fixture
def tiny_settings() -> dict[str, object]:
    return dict(TINY_SETTINGS)


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that trained a little."""
    settings = {"model.depths": [1, 1, 1], "epochs": 1, "runtime.threads": 1, "runtime.precision": "fp32"}
    return train("digits", model="resnet20_b", settings=settings, out=tmp_path_factory.mktemp("runs")).run


@pytest.fixture
def fine_settings(tiny_settings: dict[str, object], pretrained: Path) -> dict[str, object]:
    """Tiny settings for fine-tuning it, with decay and clipping on."""
    return tiny_settings | {
        "fine_tuning.weights": str(pretrained),
        "optimizer.learning_rate": 0.05,
        "optimizer.weight_decay": 0.01,
        "max_gradient_norm": 1.0,
        "schedule.warmup_share": 0.0,
    }
