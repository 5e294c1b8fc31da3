"""The moving average of weights."""

import torch
from torch import nn

from resnetkit.training.averaging import WeightAverage


def test_average_follows_its_formula() -> None:
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    average = WeightAverage(network, decay=0.9)
    expected = network.weight.detach().clone()
    for step in range(1, 30):
        with torch.no_grad():
            network.weight.add_(torch.randn(2, 3))
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * network.weight.detach()
    torch.testing.assert_close(average.network.weight, expected)


def test_without_decay_the_average_is_the_network_itself() -> None:
    network = nn.Linear(3, 2)
    average = WeightAverage(network, decay=0.0)
    average.update(1)
    assert average.network is network
    assert average.tensors() == {}


def test_counters_are_copied_and_statistics_averaged() -> None:
    network = nn.BatchNorm2d(2)
    average = WeightAverage(network, decay=0.5)
    network.train()(torch.randn(4, 2, 3, 3) + 5)
    average.update(100)
    assert int(average.network.num_batches_tracked) == 1
    torch.testing.assert_close(average.network.running_mean, network.running_mean / 2)


def test_restore_puts_back_what_tensors_gave() -> None:
    network = nn.Linear(2, 2)
    average = WeightAverage(network, decay=0.5)
    with torch.no_grad():
        network.weight.add_(1)
    average.update(5)
    kept = {name: tensor.clone() for name, tensor in average.tensors().items()}
    other = WeightAverage(nn.Linear(2, 2), decay=0.5)
    other.restore(kept)
    assert torch.equal(other.network.weight, average.network.weight)
