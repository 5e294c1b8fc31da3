"""One step of training, by hand: what the loss is made of, how long the gradient may be, which rate an update has."""

import copy
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from resnetkit.data.datasets import DATASETS
from resnetkit.data.spec import DataSpec
from resnetkit.data.types import LoadedData, Split
from resnetkit.images.types import ArrayImages, empty_images
from resnetkit.machine.runtime import Runtime
from resnetkit.recipes.advice import DataSummary, choose
from resnetkit.training import batches
from resnetkit.training.state import new_network, new_state
from resnetkit.training.steps import Steps

NUM_STEPS, BATCH_SIZE, NUM_CLASSES = 10, 8, 10
COMPUTING = Runtime(torch.device("cpu"), bf16=False, compile=False)
# An update is then the rate times the gradient.
PLAIN = {"optimizer.kind": "sgd", "optimizer.momentum": 0, "optimizer.nesterov": False, "optimizer.weight_decay": 0}
SETTINGS = {
    **PLAIN,
    "model.depths": [1, 1, 1],
    "model.widths": [4, 4, 4],
    "batch_size": BATCH_SIZE,
    "epochs": 1,
    "ema_decay": 0,
    "label_smoothing": 0,
    "max_gradient_norm": None,
}


def steps_of(**settings: object) -> Steps:
    """An epoch's steps of a small network, on noise; class 0 is half of it."""
    num_images, draw = NUM_STEPS * BATCH_SIZE, np.random.default_rng(0)
    pixels = empty_images(num_images, (1, 8, 8))
    pixels[:] = draw.integers(0, 256, pixels.shape, dtype=np.uint8)
    labels = np.where(np.arange(num_images) % 2 == 0, 0, draw.integers(0, NUM_CLASSES, num_images))
    ones, digests = np.ones(num_images, np.float32), np.zeros(num_images, np.uint64)
    split = Split("train", ArrayImages(pixels), labels, ["?"] * num_images, ones, digests)
    summary = DataSummary.of(DATASETS["digits"], num_images)
    recipe = choose(summary, DataSpec("digits"), model="resnet20_b", settings={**SETTINGS, **settings}).recipe
    state = new_state(recipe, new_network(recipe), COMPUTING.device)
    return Steps(recipe, state, LoadedData(tuple("0123456789"), {"train": split}, fingerprint=""), COMPUTING)


def gradient(steps: Steps) -> Tensor:
    """All of it, as one vector."""
    return torch.cat([parameter.grad.flatten() for parameter in steps.state.network.parameters()])


def weights(steps: Steps) -> Tensor:
    """The same of the parameters."""
    return torch.cat([parameter.detach().flatten() for parameter in steps.state.network.parameters()])


def losses_at(rates: np.ndarray, steps: Steps) -> list[float]:
    """What a learning-rate finder draws: the loss before an update with each of these rates."""
    losses = []
    for rate, batch in zip(rates, steps.batches(), strict=True):
        steps.update(batch, float(rate))
        losses.append(steps.read().loss)
    return losses


def test_a_rate_finder_gives_each_update_a_rate_of_its_own() -> None:
    steps = steps_of()
    losses = losses_at(np.geomspace(1e-3, 1e3, NUM_STEPS), steps)
    assert steps.state.progress.step == NUM_STEPS
    assert steps.state.optimizer.param_groups[0]["lr"] == pytest.approx(1e3)
    assert max(losses[:5]) < 5 < max(losses[-2:]), "low rates leave a network where it is, high ones throw it out"


def test_an_update_has_the_rate_that_the_schedule_has_for_it() -> None:
    steps = steps_of(**{"schedule.shape": "linear", "schedule.warmup_share": 0, "schedule.final_share": 0})
    bias, full = steps.state.network.fc.bias, steps.recipe.optimizer.learning_rate
    before, rates = bias.detach().clone(), list[float]()
    for _ in steps.updates():
        rates.append(float((before - bias.detach()).norm() / bias.grad.norm()))
        before = bias.detach().clone()
    assert rates == pytest.approx([full * (1 - step / NUM_STEPS) for step in range(NUM_STEPS)], rel=1e-3)


def test_a_gradient_is_cut_to_the_limit_before_the_update_and_a_shorter_one_left_alone() -> None:
    found = {}
    for limit in (None, 0.5, 1e6):
        steps = steps_of(max_gradient_norm=limit)
        before = weights(steps)
        steps.update(next(steps.batches()), learning_rate=0.1)
        torch.testing.assert_close(weights(steps), before - 0.1 * gradient(steps))
        found[limit] = gradient(steps)
    assert found[None].norm() > 1, "or nothing is cut"
    assert torch.equal(found[1e6], found[None])
    assert float(found[0.5].norm()) == pytest.approx(0.5, rel=1e-4)
    torch.testing.assert_close(found[0.5] / found[0.5].norm(), found[None] / found[None].norm())


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_the_loss_is_that_of_smoothed_labels_and_weighted_classes(smoothing: float, class_weights: str) -> None:
    steps = steps_of(label_smoothing=smoothing, class_weights=class_weights)
    twin, batch = copy.deepcopy(steps.state.network), next(steps.batches())
    steps.update(batch, learning_rate=0.1)

    labels = steps.data.splits["train"].labels
    counts = np.bincount(labels, minlength=NUM_CLASSES)
    of_class = len(labels) / NUM_CLASSES / counts if class_weights == "balanced" else np.ones(NUM_CLASSES)
    with torch.no_grad():
        log_probabilities = twin(batch.inputs).double().log_softmax(1).numpy()
    losses = []
    for row, label in zip(log_probabilities, batch.targets.argmax(1).tolist(), strict=True):
        target = np.full(NUM_CLASSES, smoothing / NUM_CLASSES)
        target[label] += 1 - smoothing
        losses.append(-of_class[label] * (target * row).sum())
    assert steps.read().loss == pytest.approx(np.mean(losses), rel=1e-5)


def test_parts_of_a_batch_add_up_to_its_gradient() -> None:
    # A batch norm would have the statistics of a part.
    whole, parts = (steps_of(accumulate_steps=n, **{"model.norm": {"kind": "group_norm", "groups": 2}}) for n in (1, 4))
    for steps in (whole, parts):
        steps.update(next(steps.batches()), learning_rate=0.1)
    torch.testing.assert_close(gradient(parts), gradient(whole))
    assert parts.read().loss == pytest.approx(whole.read().loss)


def test_updates_say_after_a_group_that_the_sums_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    one_by_one = steps_of()
    sums = [one_by_one.read() for _ in one_by_one.updates()]
    assert [each.good_steps for each in sums] == [1] * NUM_STEPS
    monkeypatch.setattr(batches, "steps_together", lambda *_: 4)  # as on a GPU
    steps = steps_of()
    seen = [(count, steps.read().loss) for count in steps.updates()]
    losses = [each.loss for each in sums]
    assert seen == [(4, sum(losses[:4])), (4, sum(losses[4:8])), (2, sum(losses[8:]))]


def test_what_the_recipe_freezes_is_held_from_the_first_step_on_until_it_is_let_go() -> None:
    steps = steps_of(**{"fine_tuning.freeze": "stem"})
    stem, kept = steps.state.network.conv1.weight, []
    for num_frozen in (steps.num_frozen, 0):
        steps.hold(num_frozen)
        before = stem.detach().clone()
        steps.update(next(steps.batches()), learning_rate=0.1)
        kept.append(torch.equal(stem, before))
    assert kept == [True, False]


def test_what_comes_after_a_step_out_of_bounds_changes_nothing() -> None:
    steps = steps_of()
    for batch, rate in zip(itertools.islice(steps.batches(), 4), (0.1, 0.1, 1e30, 0.2), strict=True):
        steps.update(batch, rate)
    sums = steps.read()
    assert sums.good_steps == 3, "the rate does its harm in the step after it"
    assert sums.divergence is not None
    assert (sums.divergence.epoch, sums.divergence.step, sums.divergence.update) == (1, 4, 3)
    assert sums.divergence.learning_rate == 0.2
    assert sums.divergence.mean_loss == pytest.approx(sums.loss / 3)
