"""Memory by shapes: against a pencil, and against the tensors that autograd really saves."""

from dataclasses import replace

import pytest
import torch

from resnetkit.anatomy.memory import measure_memory
from resnetkit.anatomy.table import describe
from resnetkit.models.catalog import CATALOG
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import BASIC, STEM_3X3, STEM_7X7, NoSkip, ResNetSpec

SMALL = ResNetSpec(replace(BASIC, join=NoSkip()), (1,), (8,), (1,), stem=replace(STEM_3X3, widths=(8,)), num_classes=5)


def test_a_small_network_by_hand() -> None:
    memory = measure_memory(SMALL, 10)
    image, plane = 4 * 3 * 100, 4 * 8 * 100
    parts = {part.name: part for part in memory.parts}
    # Kept: the image, and of every conv its output (batch norm reads it) and the ReLU's (in place of batch norm's).
    assert parts["stem"].kept_bytes == image + 2 * plane
    assert parts["stage 1"].kept_bytes == 4 * plane
    assert parts["head"].kept_bytes == 4 * 8 + 4 * 5  # the pooled features and the logits
    # At once: what batch norm reads and writes, and the image that the caller holds.
    assert parts["stem"].peak_bytes == image + 2 * plane
    assert parts["avg-pool"].kept_bytes == parts["avg-pool"].peak_bytes == 0
    assert memory.parameter_bytes == 4 * describe(SMALL, 10).parameters
    assert memory.kept_bytes == sum(part.kept_bytes for part in memory.parts)


@pytest.mark.parametrize("name", ["resnet18", "preact_resnet110", "keras_resnet50v2", "tutorial_preact", "plain20"])
def test_kept_is_what_autograd_saves(name: str) -> None:
    spec, batch = CATALOG[name].spec, 2
    network = ResNet(spec).train()
    storages: dict[int, int] = {}
    held = []

    def save(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.ndim > 1 and tensor.shape[0] == batch:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            held.append(tensor)
        return tensor

    images = torch.randn(batch, spec.in_channels, 32, 32)
    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        logits = network(images)
    expected = sum(storages.values()) + logits.nbytes
    assert measure_memory(spec, 32).kept_bytes == expected // batch


def test_memory_grows_with_the_area_but_for_the_head() -> None:
    small, large = (measure_memory(CATALOG["resnet18"].spec, size) for size in (64, 128))
    assert small.parameter_bytes == large.parameter_bytes
    stages = [[part.kept_bytes for part in memory.parts[:-1]] for memory in (small, large)]
    assert stages[1] == [4 * kept for kept in stages[0]]
    assert small.peak_bytes < small.kept_bytes


def test_the_stems_pool_is_not_counted_again_for_global_pooling() -> None:
    spec = replace(SMALL, stem=replace(STEM_7X7, widths=(8,)))
    by_mean, by_maximum = (measure_memory(replace(spec, pooling=pooling), 32) for pooling in ("avg", "max"))
    assert [part.name for part in by_maximum.parts] == ["stem", "max-pool", "stage 1", "max-pool", "head"]
    assert [part.kept_bytes for part in by_maximum.parts][:4] == [part.kept_bytes for part in by_mean.parts][:4]
