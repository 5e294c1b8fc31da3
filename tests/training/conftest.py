"""Runs that take a second: a small network, few digits, everything random switched on."""

import pytest

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
}


@pytest.fixture
def tiny_settings() -> dict[str, object]:
    return dict(TINY_SETTINGS)
