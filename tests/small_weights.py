"""A table of published weights of networks small enough for tests, and a store of weights that belongs to the test."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from resnetkit.images.spec import Preprocessing
from resnetkit.models.resnet import create_model
from resnetkit.sources import published, weight_store
from resnetkit.sources.published import Published

MODEL = "resnet18[widths=[8,8,8,8]]"
PREPARED = Preprocessing(96, 104, mean=(0.1, 0.2, 0.3), interpolation="bicubic")


def state_bytes(seed: int = 0, **settings: object) -> bytes:
    """A weight file of :data:`MODEL`."""
    torch.manual_seed(seed)
    return save(create_model(MODEL, **{"num_classes": 7, **settings}).state_dict())  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of kept weights, empty."""
    folder = tmp_path / "store"
    monkeypatch.setattr(weight_store, "store_folder", lambda: folder)
    monkeypatch.setattr("resnetkit.sources.fetching.store_folder", lambda: folder)
    monkeypatch.delenv(weight_store.VARIABLE, raising=False)
    return folder


@pytest.fixture
def small_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """Content by address; ``small.plain_in1k`` is known by its SHA-256, ``small.hub_in1k`` is on the hub."""
    content = state_bytes()
    known = ("somebody", "imagenet", "mit", PREPARED, 0.7)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()[:8]}"
    rows = (
        Published("small.plain_in1k", MODEL, *known, digest, len(content), "https://x.example/small-1.safetensors"),
        Published("small.hub_in1k", MODEL, *known, None, None, "hf://somebody/small/model.safetensors"),
    )
    monkeypatch.setattr(published, "published_files", lambda: rows)
    _forget()
    yield {rows[0].url: content, rows[1].url: state_bytes(1)}
    _forget()


def _forget() -> None:
    published.published_names.cache_clear()
    published._by_digest.cache_clear()
