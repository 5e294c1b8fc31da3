"""Summaries: each layer once, in the order of the calls, and the numbers of the network itself."""

import pytest
import torch

from resnetkit.anatomy.cost import count_cost
from resnetkit.anatomy.summary import summarize
from resnetkit.models.catalog import CATALOG, find_entry
from resnetkit.models.resnet import ResNet

NAMES = ("tutorial_preact", "seresnet18", "resnet18[join=exclusive_gate]", "keras_resnet50v2", "resnet50_gn", "plain20")


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_the_networks_layers_with_their_numbers(name: str) -> None:
    spec = find_entry(name).spec
    with torch.device("meta"):
        network = ResNet(spec)
    modules = dict(network.named_modules())
    summary = summarize(spec, 64)
    for row in summary.rows:
        if row.name:
            module = modules[row.name]
            assert row.parameters == sum(tensor.numel() for tensor in module.parameters()), row.name
            assert row.statistics == sum(tensor.numel() for tensor in module.buffers() if tensor.dim()), row.name
    layers = {row.name for row in summary.rows}
    with_weights = {key.rpartition(".")[0] for key, _ in network.named_parameters()}
    inside = {parent for parent in with_weights if any(parent.startswith(f"{layer}.se.") for layer in layers if layer)}
    assert with_weights - inside <= layers
    assert summary.rows[-1].output_shape == (spec.num_classes,)


def test_totals_are_those_of_the_table_for_every_network_and_lines_fit() -> None:
    for name, entry in CATALOG.items():
        size = entry.image_size_px
        summary = summarize(entry.spec, size)
        assert summary.parameters == count_cost(entry.spec, size).parameters, name
        assert max(len(row.layer) for row in summary.rows) <= 54, name
