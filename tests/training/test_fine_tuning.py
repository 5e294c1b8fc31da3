"""Whole fine-tuning runs: what stays as it was, what changes, and that a resumed run is the same."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from resnetkit.classifier.classifier import load_classifier
from resnetkit.data.loading import open_data
from resnetkit.data.seen import unpack_digests
from resnetkit.data.spec import DataSpec
from resnetkit.errors import Code, ResnetkitError
from resnetkit.files import sha256_of
from resnetkit.images.spec import Preprocessing
from resnetkit.models.resnet import create_model
from resnetkit.runs.events import Listener
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import WeightsRecord
from resnetkit.training import loop
from resnetkit.training.planning import plan
from resnetkit.training.run import resume, train

FROZEN = ("conv1.", "bn1.", "layer1.")  # with freeze=stage1
ONE_GREY = Preprocessing(8, 8, 1, (0.5,), (0.5,))
FREEZE = {"fine_tuning.freeze": "stage1"}


def weights_of(run: Path) -> dict[str, Tensor]:
    return load_classifier(run).network.state_dict()


def by_change(before: dict[str, Tensor], after: dict[str, Tensor]) -> tuple[set[str], set[str]]:
    """Names of the tensors that are equal bit for bit, and of those that are not."""
    equal = {name for name, value in before.items() if torch.equal(value, after[name])}
    return equal, before.keys() - equal


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_frozen_parts_are_equal_bit_for_bit_and_the_others_change(
    tmp_path: Path, fine_settings: dict[str, object], pretrained: Path, optimizer: str, ema_decay: float
) -> None:
    changes = {"epochs": 1, "ema_decay": ema_decay, "optimizer.kind": optimizer, "optimizer.learning_rate": 0.01}
    run = train("digits", settings=fine_settings | FREEZE | changes, out=tmp_path).run
    equal, changed = by_change(weights_of(pretrained), weights_of(run))
    assert equal == {name for name in equal | changed if name.startswith(FROZEN)}
    # Running statistics and batch counters are among both.
    for names in (equal, changed):
        assert {name.rpartition(".")[2] for name in names} >= {"running_mean", "running_var", "num_batches_tracked"}


class Snapshots(Listener):
    """The network's weights after every epoch, and what was said."""

    def __init__(self) -> None:
        self.weights: list[dict[str, Tensor]] = []
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def test_parts_thaw_from_the_head_downwards_at_their_epochs(
    tmp_path: Path, fine_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch, pretrained: Path
) -> None:
    listener = Snapshots()
    original = loop.Loop._finish_epoch

    def noted(self: loop.Loop, images_per_second: float | None) -> None:
        listener.weights.append({name: value.clone() for name, value in self.steps.state.network.state_dict().items()})
        original(self, images_per_second)

    monkeypatch.setattr(loop.Loop, "_finish_epoch", noted)
    gradual = {"fine_tuning.freeze": "stage3", "fine_tuning.thaw_every_epochs": 2, "epochs": 6}
    train("digits", settings=fine_settings | gradual, out=tmp_path, listener=listener)

    starts = {"conv1.": 6, "bn1.": 6, "layer1.": 6, "layer2.": 4, "layer3.": 2, "fc.": 0}
    weights = [weights_of(pretrained), *listener.weights]
    for epoch in range(6):
        _, changed = by_change(weights[epoch], weights[epoch + 1])
        expected = {name for name in weights[0] if any(name.startswith(p) and epoch >= n for p, n in starts.items())}
        assert changed == expected, epoch
    told = [text for text in listener.messages if "frozen" in text and text.startswith("epoch")]
    assert [text.partition(" frozen")[0] for text in told] == [
        "epoch 1: stem, stage1, stage2, stage3",
        "epoch 3: stem, stage1, stage2",
        "epoch 5: stem, stage1",
    ]


# --- where training starts ---


def test_the_folder_of_a_run_stands_for_its_classifier_network_and_preprocessing(
    pretrained: Path,
) -> None:
    _, chosen = plan("digits", settings={"fine_tuning.weights": str(pretrained)})
    start = load_classifier(pretrained)
    assert chosen.recipe.model == start.network.spec
    assert chosen.recipe.model_name == "resnet20_b"
    assert chosen.recipe.preprocessing == start.preprocessing
    assert chosen.recipe.name == "fine_tune"
    assert chosen.recipe.fine_tuning.weights == str(pretrained / "classifier.safetensors")
    assert "the weights were made for it" in chosen.reasons[0]


def test_a_run_and_its_classifier_know_their_images_and_those_of_all_weights_before(
    tmp_path: Path, pretrained: Path, fine_settings: dict[str, object]
) -> None:
    seeds = {0: pretrained}
    for seed in (1, 2):
        settings = fine_settings | {"fine_tuning.weights": str(seeds[seed - 1]), "data.split_seed": seed, "epochs": 1}
        seeds[seed] = train("digits", settings=settings, out=tmp_path).run
    earlier: set[int] = set()
    for seed, run in seeds.items():
        data = open_data(DataSpec("digits", split_seed=seed)).load(("train", "val", "test"), ONE_GREY)
        seen = load_classifier(run).seen
        assert seen is not None
        assert seen == RunFolder(run).read_seen()
        assert seen.is_complete
        trained_on = earlier | set(data.splits["train"].digests.tolist())
        for name, split in data.splits.items():
            assert unpack_digests(getattr(seen, name)).tolist() == sorted(set(split.digests.tolist()))
            expected = [digest in trained_on for digest in split.digests.tolist()]
            assert seen.trained_on(split.digests).tolist() == expected
        assert unpack_digests(seen.earlier_train).tolist() == sorted(earlier)
        earlier = trained_on


def test_a_run_from_weights_that_do_not_say_what_they_saw_does_not_claim_to_know(
    tmp_path: Path, pretrained: Path, fine_settings: dict[str, object]
) -> None:
    save_file(
        {name: value.contiguous() for name, value in weights_of(pretrained).items()}, tmp_path / "weights.safetensors"
    )
    settings = fine_settings | {"fine_tuning.weights": str(tmp_path / "weights.safetensors"), "epochs": 1}
    spec = load_classifier(pretrained).network.spec
    run = train("digits", model=spec, settings=settings, out=tmp_path).run
    seen = load_classifier(run).seen
    assert seen is not None
    assert not seen.is_complete


def test_a_relative_path_is_made_whole_and_recorded_with_its_hash(
    tmp_path: Path, fine_settings: dict[str, object], pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(pretrained / "classifier.safetensors", tmp_path / "start.safetensors")
    monkeypatch.chdir(tmp_path)
    run = train("digits", settings=fine_settings | {"fine_tuning.weights": "start.safetensors", "epochs": 1}).run
    record = RunFolder(run).read_record()
    whole = str(tmp_path / "start.safetensors")
    assert record.recipe.fine_tuning.weights == whole
    assert record.weights == WeightsRecord(whole, sha256_of(tmp_path / "start.safetensors"))
    assert f"fine_tuning.weights={whole}" in record.command
    assert load_classifier(run).provenance["weights"] == "start.safetensors"


class Killed(Exception):  # noqa: N818 - as sudden as a signal
    """In place of a kill."""


def killed_before_its_first_checkpoint(out: Path, settings: dict[str, object]) -> Path:
    def die(_: loop.Loop) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Loop, "run_all", die)
        with pytest.raises(Killed):
            train("digits", settings=settings, out=out)
    (run,) = out.iterdir()
    return run


def test_a_run_without_a_checkpoint_needs_its_weights_and_one_with_a_checkpoint_does_not(
    tmp_path: Path, fine_settings: dict[str, object], pretrained: Path
) -> None:
    weights = tmp_path / "start.safetensors"
    settings = fine_settings | {"epochs": 1, "fine_tuning.weights": str(weights)}
    shutil.copy(pretrained / "classifier.safetensors", weights)
    run = killed_before_its_first_checkpoint(tmp_path / "a", settings)
    tensors = load_file(weights)
    weights.unlink()
    with pytest.raises(ResnetkitError, match="weights the run starts from are gone") as caught:
        resume(run)
    assert caught.value.code == Code.WEIGHTS
    save_file({name: value * 2 for name, value in tensors.items()}, weights)
    with pytest.raises(ResnetkitError, match="weights have changed"):
        resume(run)
    shutil.copy(pretrained / "classifier.safetensors", weights)
    resume(run)

    finished = train("digits", settings=fine_settings | {"fine_tuning.weights": str(weights)}, out=tmp_path / "b").run
    (finished / "metrics.jsonl").unlink()  # as if it had been killed after its last checkpoint
    before = (finished / "classifier.safetensors").read_bytes()
    weights.unlink()
    resume(finished)
    assert (finished / "classifier.safetensors").read_bytes() == before


@pytest.fixture
def never_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resnetkit.data.source.DataSource.load", lambda *_, **__: pytest.fail("images were decoded"))


@pytest.mark.usefixtures("never_decoded")
@pytest.mark.parametrize("kind", ["classifier", "tensors"])
def test_a_head_for_other_classes_is_refused_before_any_image_is_decoded(
    tmp_path: Path, pretrained: Path, kind: str
) -> None:
    classifier = load_classifier(pretrained)
    classifier.network.reset_head(4)
    classifier = replace(classifier, class_names=("a", "b", "c", "d"), reference=None)
    file = tmp_path / "four.safetensors"
    if kind == "classifier":
        classifier.save(file)
    else:
        save_file({name: value.contiguous() for name, value in classifier.network.state_dict().items()}, file)
    model = None if kind == "classifier" else classifier.network.spec
    settings = {"fine_tuning.weights": str(file)}
    with pytest.raises(ResnetkitError, match="do not fit") as caught:
        train("digits", model=model, settings=settings, out=tmp_path / "runs")
    assert caught.value.code == Code.WEIGHTS
    assert "--reset-head" in caught.value.fix
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("never_decoded")
def test_a_head_for_as_many_classes_of_other_names_is_refused(tmp_path: Path, pretrained: Path) -> None:
    classifier = replace(load_classifier(pretrained), class_names=tuple(f"sign {i}" for i in range(10)))
    classifier.save(tmp_path / "signs.safetensors")
    settings = {"fine_tuning.weights": str(tmp_path / "signs.safetensors")}
    with pytest.raises(ResnetkitError, match="do not fit the data") as caught:
        train("digits", settings=settings, out=tmp_path)
    assert "10 classes ('sign 0', 'sign 1', 'sign 2' and 7 more), not the 10 ('0', '1', '2' " in caught.value.why
    _, chosen = plan("digits", settings=settings | {"fine_tuning.reset_head": True})
    assert chosen.recipe.fine_tuning.reset_head


def test_weights_of_colour_images_are_adapted_to_grey_ones(tmp_path: Path, fine_settings: dict[str, object]) -> None:
    network = create_model("resnet20_b", depths=(1, 1, 1), in_channels=3)
    save_file(network.state_dict(), tmp_path / "colour.safetensors")
    changes = {"fine_tuning.weights": str(tmp_path / "colour.safetensors"), "epochs": 1}
    with pytest.raises(ResnetkitError, match="do not fit"):
        train("digits", model="resnet20_b", settings=fine_settings | changes, out=tmp_path)
    changes |= {"fine_tuning.adapt_channels": True, "fine_tuning.freeze": "stem"}
    listener = Warned()
    run = train("digits", model="resnet20_b", settings=fine_settings | changes, out=tmp_path, listener=listener).run
    assert weights_of(run)["conv1.weight"].shape[1] == 1
    assert any("adapted to other channels but frozen" in text for text in listener.warnings)


class Warned(Listener):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def test_a_fresh_head_is_drawn_and_the_rest_is_that_of_the_weights(
    tmp_path: Path, fine_settings: dict[str, object], pretrained: Path
) -> None:
    slow = {"optimizer.learning_rate": 1e-30, "optimizer.weight_decay": 0.0, "ema_decay": 0.0, "epochs": 1}
    slow |= {"fine_tuning.reset_head": True}
    run = train("digits", settings=fine_settings | slow, out=tmp_path).run
    before, after = weights_of(pretrained), weights_of(run)
    assert not torch.equal(before["fc.weight"], after["fc.weight"])
    assert torch.equal(before["layer3.0.conv2.weight"], after["layer3.0.conv2.weight"])


@pytest.mark.parametrize("damage", ["missing", "text", "empty folder"])
def test_weights_that_cannot_be_read_are_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "weights.safetensors"
    if damage == "text":
        path.write_text("no weights")
    elif damage == "empty folder":
        path.mkdir()
    with pytest.raises(ResnetkitError) as caught:
        train("digits", settings={"fine_tuning.weights": str(path)}, out=tmp_path / "runs")
    assert caught.value.code == Code.WEIGHTS
    assert not (tmp_path / "runs").exists()


def test_weights_given_as_a_whole_description_are_found_too(pretrained: Path) -> None:
    whole = json.dumps({"weights": str(pretrained), "freeze": "stem"})
    _, chosen = plan(DataSpec("digits"), settings={"fine_tuning": whole})
    assert chosen.recipe.name == "fine_tune"
    assert chosen.recipe.fine_tuning.weights == str(pretrained / "classifier.safetensors")
    assert (chosen.recipe.fine_tuning.freeze, chosen.recipe.fine_tuning.layer_decay) == ("stem", 1.0)
