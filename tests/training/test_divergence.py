"""A run that has run away says so in that epoch, whatever it was that showed it, and leaves what was good usable."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from resnetkit.classifier.classifier import load_classifier
from resnetkit.classifier.file import BEST_FILE_NAME, find_best, find_classifier
from resnetkit.data.batches import Shard
from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import Recipe
from resnetkit.runs.events import Listener
from resnetkit.runs.folder import RunFolder
from resnetkit.training import loop, run
from resnetkit.training.divergence import largest_loss, lower_learning_rate
from resnetkit.training.interruption import Interrupted, StopRequest
from resnetkit.training.planning import plan
from resnetkit.training.run import resume, train
from resnetkit.training.running_sums import Tally
from resnetkit.training.validation import quick_scores

RUN = "0001-resnet20_b-digits"


def recipe_of(**settings: object) -> Recipe:
    return plan("digits", settings=settings)[1].recipe


def poison_at(monkeypatch: pytest.MonkeyPatch, epoch: int, poison: Callable[[nn.Module], None]) -> None:
    """Spoil the network that is scored just before an epoch's validation."""
    original = loop.Loop._validate

    def validate(self: loop.Loop, network: ResNet) -> dict[str, float]:
        if self.steps.state.progress.epoch + 1 == epoch:
            poison(network)
        return original(self, network)

    monkeypatch.setattr(loop.Loop, "_validate", validate)


def break_head(network: nn.Module) -> None:
    with torch.no_grad():
        network.get_parameter("fc.weight").fill_(math.nan)


def break_statistics(network: nn.Module) -> None:
    """What no gradient shows: statistics are used in validation alone."""
    network.get_buffer("bn1.running_var").fill_(math.nan)


@pytest.mark.parametrize(
    ("poison", "extra", "quantity"),
    [
        (break_head, {}, "validation loss"),
        (break_statistics, {"keep": "last"}, "validation loss"),
        (break_head, {"data.validation_fraction": 0.0}, "largest weight"),
        (break_statistics, {"validate_every_epochs": 3}, "largest weight"),
    ],
)
def test_an_epoch_that_answers_nan_is_a_divergence(
    tmp_path: Path,
    tiny_settings: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    poison: Callable[[nn.Module], None],
    extra: dict[str, object],
    quantity: str,
) -> None:
    poison_at(monkeypatch, 2, poison)
    with pytest.raises(ResnetkitError, match=f"the {quantity} became nan in epoch 2; .* not kept") as caught:
        train("digits", model="resnet20_b", settings=tiny_settings | extra, out=tmp_path)
    assert caught.value.code == Code.DIVERGED
    folder = RunFolder(tmp_path / RUN)
    assert [row["epoch"] for row in folder.events("epoch")] == [1]
    (event,) = folder.events("diverged")
    assert event["quantity"] == quantity
    for line in folder.metrics_file.read_text().splitlines():
        json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_a_loss_beyond_reason_is_a_divergence_in_its_step(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    settings = tiny_settings | {"optimizer.learning_rate": 1e6, "schedule.warmup_share": 0, "ema_decay": 0}
    with pytest.raises(ResnetkitError, match=r"the (loss|gradient) became .* in epoch 1, step") as caught:
        train("digits", model="resnet20_b", settings=settings, out=tmp_path)
    assert caught.value.code == Code.DIVERGED
    assert "--set optimizer.learning_rate=0.1)" in caught.value.fix


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_only_a_loss_above_the_largest_is_out_of_bounds(share: float) -> None:
    tally = Tally(torch.device("cpu"), Shard(), largest_loss(10))
    tally.add(torch.tensor(share * largest_loss(10), dtype=torch.float64), torch.tensor(1))
    tally.end_step(torch.tensor(1.0))
    assert bool(tally.is_bad) == (share > 1)
    assert tally.read().good_steps == (share < 1)


@pytest.mark.parametrize(
    ("given", "advised"),
    [({}, 0.025), ({"optimizer.learning_rate": 1e6}, 0.1), ({"optimizer.learning_rate": 0.2}, 0.05)],
)
def test_the_advised_rate_is_a_usual_one(given: dict[str, object], advised: float) -> None:
    assert lower_learning_rate(recipe_of(**given)) == pytest.approx(advised)


def test_the_advised_rate_suits_the_optimizer() -> None:
    settings = {"optimizer.kind": "adamw", "optimizer.learning_rate": 50}
    assert lower_learning_rate(recipe_of(**settings)) == 1e-3


def test_nan_is_never_a_right_answer() -> None:
    class Nothing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.full((len(images), 10), math.nan)

    source, chosen = plan("digits")
    loaded = source.load(["val"], chosen.recipe.preprocessing)
    assert (loaded.splits["val"].labels == 0).any()
    scores = quick_scores(Nothing(), chosen.recipe.preprocessing, loaded.splits["val"])
    assert scores["val_top1"] == 0
    assert math.isnan(scores["val_loss"])


# --- what stays usable ---


class StopAfter(Listener):
    """Asks for a stop in an epoch, as Ctrl-C does."""

    def __init__(self, epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.messages: list[str] = []
        monkeypatch.setattr(StopRequest, "votes", lambda _: [float(self.seen >= epoch), 0.0])
        self.seen = 0

    def epoch_ended(self, row: dict[str, object]) -> None:
        self.seen += 1

    def message(self, text: str) -> None:
        self.messages.append(text)


def test_a_stopped_run_leaves_its_best_epoch_usable_until_it_has_finished(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train("digits", model="resnet20_b", settings=tiny_settings, out=tmp_path / "whole")
    with monkeypatch.context() as patch:
        listener = StopAfter(2, patch)
        with pytest.raises(Interrupted):
            train("digits", model="resnet20_b", settings=tiny_settings, out=tmp_path, listener=listener)
    run = tmp_path / RUN
    best = load_classifier(find_best(run))
    rows = RunFolder(run).events("epoch")
    top = max(rows, key=lambda row: row["val_top1"])
    assert (best.provenance["kept_epoch"], best.provenance["val_top1"]) == (top["epoch"], top["val_top1"])
    (warning,) = best.provenance["warnings"]
    assert f"had not finished: this is the best so far, epoch {top['epoch']} of 3" in warning
    assert f"predict {run} --checkpoint best" in listener.messages[-1]
    with pytest.raises(ResnetkitError, match=r"no classifier.safetensors") as caught:
        find_classifier(run)
    assert BEST_FILE_NAME in caught.value.fix

    resume(run)
    assert not (run / BEST_FILE_NAME).exists()
    assert find_best(run) == run / "classifier.safetensors"
    assert (run / "classifier.safetensors").read_bytes() == (whole.run / "classifier.safetensors").read_bytes()


def test_a_diverged_run_leaves_its_best_epoch_usable(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    poison_at(monkeypatch, 3, break_head)
    with pytest.raises(ResnetkitError, match="validation loss became nan"):
        train("digits", model="resnet20_b", settings=tiny_settings, out=tmp_path)
    best = load_classifier(find_best(tmp_path / RUN))
    assert best.provenance["kept_epoch"] in (1, 2)
    assert all(tensor.isfinite().all() for tensor in best.network.state_dict().values())
    with pytest.raises(ResnetkitError) as caught:
        find_classifier(tmp_path / RUN)
    assert caught.value.why == "the run has diverged"
    assert "--resume" not in caught.value.fix  # it would only diverge again


def test_without_an_epoch_there_is_nothing_to_use(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    poison_at(monkeypatch, 1, break_head)
    with pytest.raises(ResnetkitError, match="in epoch 1"):
        train("digits", model="resnet20_b", settings=tiny_settings, out=tmp_path)
    with pytest.raises(ResnetkitError) as caught:
        find_best(tmp_path / RUN)
    assert caught.value.fix == "start it again with a lower learning rate"
    with pytest.raises(ResnetkitError, match="is no run folder"):
        find_best(tmp_path)


@pytest.mark.slow
def test_the_best_so_far_is_written_with_checkpoints_and_once_an_epoch(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    original = run.write_durably

    def noted(path: Path, content: bytes) -> None:
        written.append(path.name)
        original(path, content)

    monkeypatch.setattr(run, "write_durably", noted)
    train("digits", model="resnet20_b", settings=tiny_settings, out=tmp_path)
    assert written == []  # there was no checkpoint before the end
    every_step = tiny_settings | {"checkpoint_seconds": 0, "keep": "last"}
    train("digits", model="resnet20_b", settings=every_step, out=tmp_path)
    assert written == [BEST_FILE_NAME] * 2
