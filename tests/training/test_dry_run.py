"""A dry run says what a run would be, truly, and leaves nothing behind."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.cats_and_dogs import write_images

from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.images.spec import Preprocessing
from resnetkit.models.catalog import find_entry
from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import AdamW, FineTuning, Recipe, Sgd
from resnetkit.runs.events import Listener
from resnetkit.training.dry_run import rehearse
from resnetkit.training.run import train
from resnetkit.training.step_memory import estimate_step_memory

SMALL = {"model.depths": [1, 1, 1], "epochs": 2, "runtime.threads": 1, "runtime.precision": "fp32"}


class Heard(Listener):
    def __init__(self) -> None:
        self.started = 0

    def run_started(self, *_: object) -> None:
        self.started += 1


def files_under(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_what_is_said_is_what_training_then_does(tmp_path: Path) -> None:
    arguments = {"model": "resnet20_b", "settings": SMALL, "out": tmp_path / "runs"}
    found = rehearse("digits", **arguments)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
    assert found.num_measured > 1
    run = train("digits", **arguments)  # type: ignore[arg-type]
    record = run.folder.read_record()
    assert run.run == found.folder
    assert found.chosen.recipe == record.recipe
    assert (found.chosen.reasons, found.chosen.warnings) == (record.reasons, record.warnings)
    assert found.command == record.command
    assert found.num_images == record.data.num_images
    assert found.num_steps == run.folder.last_step
    assert found.num_parameters == sum(p.numel() for p in ResNet(record.recipe.model).parameters())


def test_a_folder_of_photographs_and_the_working_directory_stay_as_they_are(empty_folder: Path) -> None:
    write_images(empty_folder / "pets")
    before, heard = files_under(empty_folder), Heard()
    settings = {**SMALL, "batch_size": 4, "data.cache": "off"}
    found = rehearse("pets", model="resnet20_b", settings=settings, listener=heard, track=["csv"])
    assert files_under(empty_folder) == before
    assert heard.started == 0
    assert found.folder == Path("runs/0001-resnet20_b-pets")


def test_decoded_images_are_kept_where_the_recipe_names_a_cache(empty_folder: Path) -> None:
    write_images(empty_folder / "pets")
    cache = empty_folder / "cache"
    rehearse("pets", model="resnet20_b", settings={**SMALL, "batch_size": 4, "data.cache": str(cache)})
    assert {path.name for path in empty_folder.iterdir()} == {"pets", "cache"}
    assert {path.suffix for path in cache.iterdir()} == {".packed"}


def test_what_training_refuses_a_dry_run_refuses(tmp_path: Path) -> None:
    with pytest.raises(ResnetkitError, match="more than the"):
        rehearse("digits", settings={**SMALL, "batch_size": 5000}, out=tmp_path)
    with pytest.raises(ResnetkitError, match="unknown tracker"):
        rehearse("digits", track=["cvs"], out=tmp_path)


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ResnetkitError, match="single process"):
        rehearse("digits")


def test_a_time_is_turned_into_epochs_as_training_does(tmp_path: Path) -> None:
    settings = {name: value for name, value in SMALL.items() if name != "epochs"} | {"data.max_train_images": 256}
    found = rehearse("digits", model="resnet20_b", settings=settings, minutes=1 / 60, out=tmp_path)
    assert found.chosen.recipe.epochs == 13, "fifty updates, the least"
    assert "--set epochs=13" in found.command


def recipe_for(**changes: object) -> Recipe:
    spec = replace(find_entry("resnet20_b").spec, num_classes=10, in_channels=3)
    preprocessing = Preprocessing(32, 32, mean=(0.5,) * 3, std=(0.2,) * 3)
    return replace(Recipe("x", "resnet20_b", spec, DataSpec("cifar10"), preprocessing), **changes)  # type: ignore[arg-type]


def test_memory_grows_with_the_batch_and_with_what_the_optimizer_remembers() -> None:
    recipe = recipe_for(batch_size=64)
    network = ResNet(recipe.model)
    weights = 4 * sum(parameter.numel() for parameter in network.parameters())

    def estimate(**changes: object) -> tuple[int, int, int]:
        memory = estimate_step_memory(replace(recipe, **changes), network, bf16=False)  # type: ignore[arg-type]
        return memory.gradients, memory.optimizer, memory.maps

    gradients, optimizer, maps = estimate()
    assert (gradients, optimizer) == (weights, weights)
    assert estimate(optimizer=AdamW())[1] == 2 * weights
    assert estimate(optimizer=Sgd(momentum=0, nesterov=False))[1] == 0
    assert estimate(batch_size=128)[2] == 2 * maps
    assert estimate(accumulate_steps=4)[2] == maps // 4
    assert estimate_step_memory(recipe, network, bf16=True).maps == maps // 2
    head = estimate(fine_tuning=FineTuning(freeze="stage3"))
    assert head[0] == 4 * sum(parameter.numel() for parameter in network.fc.parameters())
    assert head[2] < maps / 100


def test_maps_are_what_autograd_keeps() -> None:
    recipe = recipe_for(batch_size=16)
    network, kept = ResNet(recipe.model).train(), dict[int, int]()

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.ndim > 1 and tensor.shape[0] == recipe.batch_size:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        logits = network(torch.randn(recipe.batch_size, 3, 32, 32))
    estimated = estimate_step_memory(recipe, network, bf16=False).maps
    assert logits.shape == (recipe.batch_size, 10)
    assert sum(kept.values()) == pytest.approx(estimated, rel=0.05)
