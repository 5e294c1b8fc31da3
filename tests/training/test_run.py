"""Whole runs on a few digits: what they leave behind, and what they refuse."""

import json
import math
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import resnetkit
from resnetkit.classifier.classifier import load_classifier
from resnetkit.cli.app import main
from resnetkit.config import override
from resnetkit.data.seen import pack_digests
from resnetkit.errors import Code, ResnetkitError
from resnetkit.evaluation.answers import score_answers
from resnetkit.evaluation.sharing import BATCH_SIZE
from resnetkit.images.spec import Limits
from resnetkit.inference.torch_engines import plain_predictor
from resnetkit.runs.events import Listener, StepReport
from resnetkit.runs.folder import RunFolder
from resnetkit.training import batches, loop, run
from resnetkit.training.planning import command_line, plan
from resnetkit.training.run import resume, train
from resnetkit.training.steps import Steps


class Recorder(Listener):
    """Keeps everything it hears."""

    def __init__(self) -> None:
        self.steps: list[StepReport] = []
        self.rows: list[dict[str, object]] = []
        self.messages: list[str] = []
        self.warnings: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    def step_ended(self, report: StepReport) -> None:
        self.steps.append(report)

    def epoch_ended(self, row: dict[str, object]) -> None:
        self.rows.append(row)


def test_a_run_leaves_a_complete_folder_that_agrees_with_itself(
    tmp_path: Path, tiny_settings: dict[str, object]
) -> None:
    listener = Recorder()
    result = train("digits", model="resnet20_b", settings=tiny_settings, out=tmp_path, listener=listener)
    names = {path.name for path in result.run.iterdir()}
    assert names == {
        *("recipe.json", "images.json", "metrics.jsonl", "log.txt", "checkpoints"),
        *("classifier.safetensors", "answers.npz", "predictions.csv", "report.html"),
    }
    record = json.loads((result.run / "recipe.json").read_text())
    assert record["recipe"]["epochs"] == 3
    assert record["environment"]["torch"] == torch.__version__
    assert record["data"]["num_images"] == {"train": 1293, "val": 145, "test": 359}
    assert [row["epoch"] for row in RunFolder(result.run).events("epoch")] == [1, 2, 3]
    assert [step.step for step in listener.steps] == 3 * list(range(1, 11))
    assert "epoch 3" in (result.run / "log.txt").read_text()

    classifier = load_classifier(result.run)
    evaluation = resnetkit.evaluate(plain_predictor(classifier, batch_size=BATCH_SIZE), "digits")
    assert evaluation.scores == result.scores["test"]
    answers = RunFolder(result.run).read_answers()
    assert {split: score_answers(one) for split, one in answers.items()} == result.scores
    assert pack_digests(answers["val"].digests) == classifier.seen.val
    lines = (result.run / "predictions.csv").read_text().splitlines()
    assert sum(line.startswith("digits/test/") for line in lines) == len(answers["test"]) == 359
    # The best epoch's score is the classifier's own.
    best = max(row["val_top1"] for row in listener.rows)
    assert result.scores["val"].top1.value == pytest.approx(best)
    assert classifier.provenance["val_top1"] == pytest.approx(best)


def test_training_learns(tmp_path: Path) -> None:
    settings = {"epochs": 4, "model.depths": [1, 1, 1], "runtime.threads": 1}
    result = train("digits", model="resnet20_b", settings=settings, out=tmp_path)
    assert result.scores["test"].top1.value > 0.85


def test_run_folders_are_numbered_and_never_reused(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    settings = tiny_settings | {"epochs": 1, "schedule.warmup_share": 0}
    first = train("digits", model="resnet20_b", settings=settings, out=tmp_path)
    second = train("digits", model="resnet20_b", settings=settings, out=tmp_path)
    assert (first.run.name, second.run.name) == ("0001-resnet20_b-digits", "0002-resnet20_b-digits")
    # The same seed gives the same bytes.
    assert (first.run / "classifier.safetensors").read_bytes() == (second.run / "classifier.safetensors").read_bytes()


def test_another_seed_gives_another_run(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    settings = tiny_settings | {"epochs": 1, "schedule.warmup_share": 0}
    first = train("digits", model="resnet20_b", settings=settings, out=tmp_path)
    second = train("digits", model="resnet20_b", settings=settings | {"seed": 1}, out=tmp_path)
    one, two = load_classifier(first.run).network, load_classifier(second.run).network
    assert not torch.equal(one.fc.weight, two.fc.weight)


def test_accumulated_gradients_are_those_of_the_whole_batch(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Batch norm sees the parts one by one; held at its running statistics, the parts must add up exactly.
    monkeypatch.setattr(torch.nn.BatchNorm2d, "train", lambda self, mode=True: torch.nn.Module.train(self, False))
    losses = []
    for parts in (1, 4):
        listener = Recorder()
        settings = tiny_settings | {"epochs": 1, "accumulate_steps": parts, "schedule.warmup_share": 0}
        settings |= {"model.block.drop_rate": 0.0, "optimizer.learning_rate": 0.01}
        train("digits", model="resnet20_b", settings=settings, out=tmp_path, listener=listener)
        losses.append([step.loss for step in listener.steps])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_steps_taken_together_give_the_same_bytes(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    contents, epochs = [], []
    for together in (1, 4):
        monkeypatch.setattr(batches, "steps_together", lambda *_, n=together: n)
        listener = Recorder()
        result = train("digits", model="resnet20_b", settings=tiny_settings, out=tmp_path, listener=listener)
        assert [step.step for step in listener.steps[: 10 // together]] == list(range(together, 11, together))
        contents.append((result.run / "classifier.safetensors").read_bytes())
        epochs.append([(row["train_top1"], pytest.approx(row["train_loss"], rel=1e-12)) for row in listener.rows])
    assert contents[0] == contents[1]
    assert epochs[0] == epochs[1]


def test_only_a_gpu_takes_steps_together() -> None:
    recipe = plan("digits", settings={"batch_size": 64})[1].recipe
    assert batches.steps_together(recipe, torch.device("cpu")) == 1
    assert batches.steps_together(recipe, torch.device("cuda")) == batches.MOST_STEPS_TOGETHER
    large = override(recipe, {"preprocessing.resize_px": 1024, "preprocessing.image_size_px": 1024})
    assert batches.steps_together(large, torch.device("cuda")) == 1


@pytest.mark.parametrize("together", [1, 4])
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_what_is_not_finite_stops_the_run_before_the_update(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch, what: str, together: int
) -> None:
    monkeypatch.setattr(batches, "steps_together", lambda *_: together)
    before: dict[str, torch.Tensor] = {}
    original = Steps._backward

    def poisoned(
        self: Steps, images: torch.Tensor, targets: torch.Tensor, parts: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        loss, correct = original(self, images, targets, parts)
        if self.state.progress.step == 12:
            before.update({name: p.detach().clone() for name, p in self.state.network.named_parameters()})
            monkeypatch.setattr(Kept, "network", self.state.network)
            if what == "loss":
                return loss * math.nan, correct
            next(self.state.network.parameters()).grad[0] = math.inf
        return loss, correct

    class Kept:
        network: torch.nn.Module

    Kept.network = torch.nn.Identity()
    monkeypatch.setattr(Steps, "_backward", poisoned)
    with pytest.raises(ResnetkitError, match=f"the {what} became") as caught:
        train("digits", model="resnet20_b", settings=tiny_settings, out=tmp_path)
    assert caught.value.code == Code.DIVERGED
    assert "epoch 2, step 3" in str(caught.value)
    assert "mean loss of this epoch before it 0" not in caught.value.why  # two good steps came before
    assert "learning_rate" in caught.value.fix
    assert before
    for name, parameter in Kept.network.named_parameters():
        assert torch.equal(parameter, before[name]), name


def test_a_far_too_high_learning_rate_is_diagnosed(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    settings = tiny_settings | {"optimizer.learning_rate": 1e18, "epochs": 2, "schedule.warmup_share": 0}
    with pytest.raises(ResnetkitError) as caught:
        train("digits", model="resnet20_b", settings=settings, out=tmp_path)
    assert caught.value.code == Code.DIVERGED


def test_early_stopping_stops_and_keeps_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.5, 0.7, 0.6, 0.7, 0.65, 0.9])
    monkeypatch.setattr(loop, "quick_scores", lambda *_: {"val_loss": 1.0, "val_top1": next(scores)})
    settings = {"epochs": 6, "early_stopping_epochs": 3, "model.depths": [1, 1, 1], "schedule.warmup_share": 0}
    result = train("digits", model="resnet20_b", settings=settings, out=tmp_path)
    provenance = load_classifier(result.run).provenance
    assert (provenance["epochs"], provenance["kept_epoch"], provenance["val_top1"]) == (5, 2, 0.7)


def test_patience_is_looked_at_when_there_is_a_validation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.7, 0.6, 0.9])
    monkeypatch.setattr(loop, "quick_scores", lambda *_: {"val_loss": 1.0, "val_top1": next(scores)})
    settings = {"epochs": 7, "early_stopping_epochs": 1, "validate_every_epochs": 2, "schedule.warmup_share": 0}
    result = train("digits", model="resnet20_b", settings={**settings, "model.depths": [1, 1, 1]}, out=tmp_path)
    provenance = load_classifier(result.run).provenance
    assert (provenance["epochs"], provenance["kept_epoch"], provenance["val_top1"]) == (4, 2, 0.7)


@pytest.mark.parametrize(("every", "validated"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (9, [5])])
def test_validation_comes_every_so_many_epochs_and_at_the_end(
    tmp_path: Path, tiny_settings: dict[str, object], every: int, validated: list[int]
) -> None:
    listener = Recorder()
    settings = tiny_settings | {"epochs": 5, "validate_every_epochs": every}
    result = train("digits", model="resnet20_b", settings=settings, out=tmp_path, listener=listener)
    rows = [row for row in listener.rows if "val_top1" in row]
    assert [row["epoch"] for row in rows] == validated
    assert load_classifier(result.run).provenance["kept_epoch"] in validated
    assert result.scores["val"].top1.value == pytest.approx(max(row["val_top1"] for row in rows))


def test_keep_last_keeps_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.9, 0.1])
    monkeypatch.setattr(loop, "quick_scores", lambda *_: {"val_loss": 1.0, "val_top1": next(scores)})
    kept = []
    original = run.best_classifier

    def noted(state: object, *rest: object) -> object:
        network = state.average.network  # type: ignore[attr-defined]
        kept.append({name: value.clone() for name, value in network.state_dict().items()})
        return original(state, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "best_classifier", noted)
    monkeypatch.setattr(loop, "is_short", lambda _: False)  # which would take statistics anew
    settings = {"epochs": 2, "keep": "last", "model.depths": [1, 1, 1], "schedule.warmup_share": 0}
    result = train("digits", model="resnet20_b", settings=settings, out=tmp_path)
    classifier = load_classifier(result.run)
    for name, value in classifier.network.state_dict().items():
        assert torch.equal(value, kept[0][name]), name
    # The score of the first epoch is not that of these weights.
    assert (classifier.provenance["kept_epoch"], classifier.provenance["val_top1"]) == (2, None)


def test_weights_start_a_run_and_need_a_new_head_for_other_classes(
    tmp_path: Path, tiny_settings: dict[str, object], image_folder: Path
) -> None:
    settings = tiny_settings | {"epochs": 1, "schedule.warmup_share": 0}
    first = train("digits", model="resnet20_b", settings=settings, out=tmp_path)
    weights = str(first.run / "classifier.safetensors")
    fine = settings | {"fine_tuning.weights": weights, "batch_size": 4, "augmentation.pad_px": 0}
    with pytest.raises(ResnetkitError, match="do not fit the data") as caught:
        train(str(image_folder), model="resnet20_b", settings=fine, out=tmp_path)
    assert caught.value.code == Code.WEIGHTS
    # The photos are in colour and of other classes: the first conv and the head differ.
    assert "--adapt-channels" in caught.value.fix
    assert "--reset-head" in caught.value.fix
    # With the learning rate at almost nothing, the weights that were given are those that come out.
    slow = settings | {"fine_tuning.weights": weights, "optimizer.learning_rate": 1e-30, "ema_decay": 0.0}
    second = train("digits", model="resnet20_b", settings=slow, out=tmp_path)
    one, two = load_classifier(first.run).network, load_classifier(second.run).network
    assert torch.equal(one.layer3[0].conv2.weight, two.layer3[0].conv2.weight)


def test_photos_stream_to_the_same_bytes_as_from_memory(tmp_path: Path, image_folder: Path) -> None:
    settings = {
        "epochs": 2,
        "batch_size": 6,
        "model.depths": [1, 1, 1],
        "schedule.warmup_share": 0,
        "augmentation.crop_area": [0.4, 1.0],
        "augmentation.flip_rate": 0.5,
        "runtime.threads": 1,
    }
    weights = []
    for memory, workers in ((2**30, 0), (1, 0), (1, 2)):
        extra = {"data.max_memory_bytes": memory, "data.num_workers": workers}
        result = train(str(image_folder), model="resnet20_b", settings=settings | extra, out=tmp_path)
        weights.append(load_classifier(result.run).network.state_dict())
    for other in weights[1:]:
        for name, value in weights[0].items():
            assert torch.equal(value, other[name]), name


def test_bad_images_stop_training_or_are_left_out_on_record(
    tmp_path: Path, image_folder: Path, tiny_settings: dict[str, object]
) -> None:
    bad = image_folder / "red" / "bad.jpg"
    bad.write_text("no image")
    with pytest.raises(ResnetkitError, match=r"bad\.jpg") as caught:
        train(str(image_folder), model="resnet20_b", out=tmp_path / "runs")
    assert caught.value.code == Code.DATA
    assert not (tmp_path / "runs").exists()
    settings = tiny_settings | {"epochs": 1, "batch_size": 4, "schedule.warmup_share": 0}
    spec = resnetkit.DataSpec(str(image_folder), on_bad_image="skip")
    result = train(spec, model="resnet20_b", settings=settings, out=tmp_path)
    (recorded,) = json.loads((result.run / "recipe.json").read_text())["data"]["bad_images"]
    assert recorded["path"] == str(bad)
    assert "bad.jpg" in (result.run / "report.html").read_text()
    assert "image files are left out: red/bad.jpg is not a" in (result.run / "log.txt").read_text()
    assert [image.path for image in result.left_out] == [str(bad)]
    assert resume(result.run).left_out == result.left_out


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch_size": 5000}, "more than the 1,293 training images"),
        ({"batch_size": 3, "accumulate_steps": 3}, "cannot be cut into 3 equal parts"),
        ({"runtime.device": "cuda:7"}, "no device 'cuda:7'"),
        ({"runtime.device": "tpu9"}, "unknown device"),
        ({"runtime.device": "meta"}, "unknown device"),
        ({"class_weights": [1.0, 2.0]}, "10 numbers"),
        ({"model.num_classes": 5}, "the network has 5 classes, the data have 10"),
    ],
)
def test_impossible_settings_are_refused_before_training(
    tmp_path: Path, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(ResnetkitError, match=words):
        train("digits", settings=settings, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_validation_split_the_last_epoch_is_kept(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    settings = tiny_settings | {"data.validation_fraction": 0.0, "epochs": 1, "schedule.warmup_share": 0}
    result = train("digits", model="resnet20_b", settings=settings, out=tmp_path)
    assert set(result.scores) == {"test"}
    assert load_classifier(result.run).provenance["val_top1"] is None


def test_without_a_validation_split_nothing_stops_early(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    listener = Recorder()
    settings = tiny_settings | {"data.validation_fraction": 0.0, "early_stopping_epochs": 1}
    train("digits", model="resnet20_b", settings=settings, out=tmp_path, listener=listener)
    assert [row["epoch"] for row in listener.rows] == [1, 2, 3]
    assert "early_stopping_epochs has no effect without validation images" in listener.warnings


def test_the_recorded_command_repeats_the_run(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train("digits", model="resnet20_b", settings=tiny_settings, out=tmp_path)
    record = json.loads((first.run / "recipe.json").read_text())
    monkeypatch.setattr(sys, "argv", [*shlex.split(record["command"]), "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="0"):
        main()
    again = tmp_path / "0002-resnet20_b-digits" / "classifier.safetensors"
    assert again.read_bytes() == (first.run / "classifier.safetensors").read_bytes()


def test_the_recorded_command_names_what_was_set_about_the_data() -> None:
    spec = resnetkit.DataSpec("my photos", on_bad_image="skip", split_seed=3)
    command = command_line(spec, "resnet18", "photos", {"class_weights": [1.0, 2.0]})
    assert shlex.split(command) == [
        *("resnetkit", "train", "my photos", "--model", "resnet18", "--recipe", "photos"),
        *("--set", "data.split_seed=3", "--set", "data.on_bad_image=skip", "--set", "class_weights=[1.0, 2.0]"),
    ]


def test_settings_of_the_data_change_the_splits(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    settings = tiny_settings | {"epochs": 1, "schedule.warmup_share": 0, "data.validation_fraction": 0.3}
    result = train("digits", model="resnet20_b", settings=settings, out=tmp_path)
    assert result.scores["val"].top1.num_images == pytest.approx(0.3 * 1438, abs=10)


def test_a_run_validated_on_test_has_no_score_of_images_kept_apart(
    tmp_path: Path,
    tiny_settings: dict[str, object],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listener, settings = Recorder(), {**tiny_settings, "epochs": 1}
    result = train(
        "digits", model="resnet20_b", recipe="tutorial_exact", settings=settings, out=tmp_path, listener=listener
    )
    assert list(result.scores) == ["val"]
    record = json.loads((result.run / "recipe.json").read_text())
    assert record["data"]["num_images"] == {"train": 1438, "val": 359}
    assert (
        [text for text in listener.warnings if "data.validation=test" in text]
        == [text for text in record["warnings"] if "data.validation=test" in text]
        != []
    )
    assert "data.validation=test" in (result.run / "report.html").read_text()
    monkeypatch.setattr(sys, "argv", ["resnetkit", "evaluate", str(result.run), "--engine", "torch"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "split val" in capsys.readouterr().out


def test_losses_follow_the_recorded_trace(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    """A change of the code that changes what is computed shows here, even where the result is as good."""
    listener = Recorder()
    settings = tiny_settings | {"epochs": 1, "schedule.warmup_share": 0, "max_gradient_norm": 1.0}
    train("digits", model="resnet20_b", settings=settings, out=tmp_path, listener=listener)
    means = np.array([step.loss for step in listener.steps])
    trace = np.diff(means * np.arange(1, 11), prepend=0)
    recorded = json.loads((Path(__file__).parents[1] / "golden" / "loss_trace.json").read_text())
    np.testing.assert_allclose(trace, recorded, rtol=2e-3)


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """Thirty small pictures of two classes, in colour and of several shapes."""
    rng = np.random.default_rng(0)
    root = tmp_path / "pictures"
    for channel, name in ((0, "red"), (2, "blue")):
        (root / name).mkdir(parents=True)
        for number in range(15):
            pixels = rng.integers(0, 80, (20 + number, 30 - number, 3), dtype=np.uint8)
            pixels[:, :, channel] += 150
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def test_long_images_are_seen_whole(tmp_path: Path) -> None:
    """Their classes differ in the left third alone, of which the middle square has nothing."""
    noise = np.random.default_rng(0)
    for name, colour in (("red", (220, 30, 30)), ("blue", (30, 30, 220))):
        (tmp_path / "long" / name).mkdir(parents=True)
        for number in range(40):
            pixels = noise.integers(60, 200, (10, 30, 3), dtype=np.uint8)
            pixels[:, :10] = colour
            Image.fromarray(pixels).save(tmp_path / "long" / name / f"{number}.png")
    result = train(
        str(tmp_path / "long"),
        settings={"model.depths": [1, 1, 1], "runtime.threads": 1, "epochs": 4, "data.limits.max_pixels": 300},
        out=tmp_path / "runs",
    )
    assert result.scores["test"].top1.value == 1
    record = RunFolder(result.run).read_record()
    assert record.recipe.preprocessing.fit == "squeeze"
    assert load_classifier(result.run).limits == Limits(max_pixels=300)
    assert any(reason.startswith("fit squeeze: the middle square is only 33 %") for reason in record.reasons)
