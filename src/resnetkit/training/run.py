"""A whole run, from data to a finished run folder: the verbs ``train`` and ``resume``."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from resnetkit.classifier.classifier import Classifier
from resnetkit.config import from_dict, override, to_dict
from resnetkit.data.batches import Shard
from resnetkit.data.datasets import DATASETS
from resnetkit.data.loading import DataSource, open_data
from resnetkit.data.seen import SeenImages
from resnetkit.data.spec import DataSpec
from resnetkit.data.survey import measure_sixteen_bit
from resnetkit.data.types import LoadedData
from resnetkit.errors import Code, require
from resnetkit.files import write_durably
from resnetkit.machine import runtime
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ResNetSpec
from resnetkit.recipes.advice import DataSummary, choose
from resnetkit.recipes.named import DATA_OF
from resnetkit.recipes.recipe import Chosen, Recipe
from resnetkit.recipes.warnings import settings_without_validation, warnings_about_classes
from resnetkit.runs.events import Listener, Listeners, Logger
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.result import Result, finished_result
from resnetkit.training.checkpoint import Checkpoint, newest_checkpoint, remove_leftovers
from resnetkit.training.computing import start_computing
from resnetkit.training.distributed import check_same_on_all_ranks, from_first_rank, process_group
from resnetkit.training.final_scores import finish
from resnetkit.training.loop import Loop
from resnetkit.training.preconditions import check_batches, check_classes, check_same_data
from resnetkit.training.starting_weights import (
    check_same_weights,
    check_start,
    find_weights,
    record_of_weights,
    seen_before,
    starting_point,
    told_of_seen,
    whole_path,
)
from resnetkit.training.state import TrainingState, new_network, new_state
from resnetkit.weights import load_weights, read_weights, to_native

SPLITS = ("train", "val", "test")


def summarize_data(source: DataSource, spec: DataSpec) -> DataSummary:
    """What the choice of network and recipe depends on."""
    if spec.source in DATASETS:
        return DataSummary.of(DATASETS[spec.source], source.split_sizes["train"])
    return DataSummary(
        name=source.name,
        image_size_px=source.shapes.shorter_px,
        channels=source.channels,
        num_train=source.split_sizes["train"],
        num_classes=len(source.class_names),
        is_folder=True,
        shapes=source.shapes,
        sixteen_bit=measure_sixteen_bit(source.sixteen_bit, spec.limits, num_workers=spec.num_workers),
        remarks=source.remarks,
    )


def plan(
    data: str | DataSpec,
    *,
    model: str | ResNetSpec | None = None,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> tuple[DataSource, Chosen]:
    """The data, and the recipe that :func:`train` would run on them."""
    spec = DataSpec(data) if isinstance(data, str) else data
    # The data are opened before the recipe is chosen, so what is set about them must be set here.
    of_data = dict(DATA_OF.get(recipe or "", {}))
    of_data |= {path.removeprefix("data."): v for path, v in (settings or {}).items() if path.startswith("data.")}
    spec = override(spec, of_data) if of_data else spec
    if spec.source not in DATASETS and Path(spec.source).expanduser().is_dir():
        # The whole path, so that the run can be resumed and evaluated from any folder.
        spec = replace(spec, source=str(Path(spec.source).expanduser().absolute()))
    if spec.data_dir is not None:
        spec = replace(spec, data_dir=str(Path(spec.data_dir).expanduser().absolute()))
    settings = find_weights(settings or {})
    source = open_data(spec)
    require(
        "train" in source.split_sizes,
        f"{source.name} has no training images",
        fix="put them into a folder train/CLASS/",
        code=Code.DATA,
    )
    start = starting_point(settings, model)
    chosen = choose(summarize_data(source, spec), spec, model=model, recipe=recipe, settings=settings, start=start)
    check_start(chosen.recipe, start, source.class_names)
    return source, chosen


def train(
    data: str | DataSpec,
    *,
    model: str | ResNetSpec | None = None,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
    out: str | Path = "runs",
    listener: Listener | None = None,
) -> Result:
    """Train a classifier; network and recipe are chosen for the data where they are left open.

    Args:
        data: name of a data set, or path of an image folder.
        settings: fields of the :class:`Recipe` to replace, e.g. ``{"epochs": 5, "optimizer.learning_rate": 0.05}``.
        out: folder in which a new run folder is made.

    Raises:
        ResnetkitError: for unusable data, names or settings, and when training diverges.
        Interrupted: on SIGINT or SIGTERM, after writing a checkpoint.
    """
    listener = listener or Listener()
    settings = find_weights(settings or {})
    source, chosen = plan(data, model=model, recipe=recipe, settings=settings)
    command = command_line(source.spec, model, recipe, settings)
    return _run(source, chosen, RunStart(Path(out), None, command), listener)


def resume(
    run: str | Path,
    *,
    data: str | Path | None = None,
    weights: str | Path | None = None,
    listener: Listener | None = None,
) -> Result:
    """Go on with a run that was interrupted; it ends in the same bytes as if it had not been.

    Args:
        data: where the run's image folder is now, if it has another path than when the run was started.
        weights: the same for the weights it starts from, which it needs until its first checkpoint.

    Raises:
        ResnetkitError: where this is no run folder, its data have changed, or another process is training in it.
        Interrupted: on SIGINT or SIGTERM, after writing a checkpoint.
    """
    listener, folder = listener or Listener(), RunFolder(Path(run))
    recipe, _ = folder.read_record()
    done = finished_result(folder)
    if done is not None:
        listener.message(f"{folder.path} is finished; nothing to resume")
        return done
    # The recipe stays what it was: where its files are now is no part of the run.
    place = folder.place_of_data(recipe) if data is None else str(Path(data).expanduser().absolute())
    require(
        weights is None or recipe.fine_tuning.weights is not None,
        f"{folder.path} does not start from weights",
        fix="leave --weights out; or start a new run from them: resnetkit train DATA --weights FILE",
    )
    require(
        place in DATASETS or Path(place).is_dir(),
        f"the images of {folder.path} are not in {place}",
        fix=f"say where they are now: resnetkit train --resume {folder.path} --data NEW/PATH",
        code=Code.DATA,
    )
    source = open_data(replace(recipe.data, source=place))
    start = RunStart(folder.path.parent, folder, moved_weights=None if weights is None else whole_path(str(weights)))
    return _run(source, Chosen(recipe, (), ()), start, listener)


def command_line(
    data: DataSpec, model: str | ResNetSpec | None, recipe: str | None, settings: Mapping[str, Any]
) -> str:
    """The shell command that does what :func:`train` does with these arguments.

    >>> command_line(DataSpec("digits", split_seed=7), "resnet20", None, {"epochs": 3})
    'resnetkit train digits --model resnet20 --set data.split_seed=7 --set epochs=3'
    """
    words = ["resnetkit", "train", data.source]
    given, usual = to_dict(data), to_dict(DataSpec(data.source))
    changed = {f"data.{name}": value for name, value in given.items() if value != usual[name]}
    settings = {**changed, **settings, **changed}  # first, and with the whole paths of what ran
    words += ["--model", model] if isinstance(model, str) else []
    words += ["--recipe", recipe] if recipe else []
    if isinstance(model, ResNetSpec):
        settings = {"model": to_dict(model), **settings}
    for path, value in settings.items():
        words += ["--set", f"{path}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words)


@dataclass(frozen=True)
class RunStart:
    """Where a run lives: a new folder in ``out``, or the folder to go on in; and the command that repeats it.

    Attributes:
        moved_weights: where the weights that the recipe names are now.
    """

    out: Path
    folder: RunFolder | None
    command: str = ""
    moved_weights: str | None = None


def _run(source: DataSource, chosen: Chosen, start: RunStart, listener: Listener) -> Result:
    """Everything from the data to the finished folder; with several processes, the first one speaks and writes."""
    computing = start_computing(chosen.recipe, source.split_sizes["train"])
    # A run to go on with is ours before anything of it is read; a new one, once it has a folder.
    with process_group(computing.device) as shard, _lock(start.folder, shard):
        if shard.rank > 0:
            listener = Listener()
        for text in (*source.told(), *chosen.reasons):
            listener.message(text)
        listener.message(f"computing on {computing}")
        for text in (*chosen.warnings, *computing.notes):
            listener.warning(text)
        state = new_state(chosen.recipe, new_network(chosen.recipe), computing.device)

        def misfit(checkpoint: Checkpoint) -> str:
            """Nothing against one of another recipe: that the recipe has changed is told before it is gone on with."""
            return "" if _changed_fields(checkpoint, chosen.recipe) else state.misfit(checkpoint)

        checkpoint, damaged = newest_checkpoint(start.folder.checkpoints, misfit) if start.folder else (None, [])
        for text in damaged:
            listener.warning(f"passed over a damaged checkpoint, {text}")
        weights = start.moved_weights or chosen.recipe.fine_tuning.weights
        if start.folder is not None and checkpoint is None:
            check_same_weights(weights, start.folder.read_record()[1].get("weights"))
        if weights is not None and checkpoint is None:
            # Before the images, so that weights which do not fit are refused at once.
            state = new_state(chosen.recipe, _fine_tuned_network(chosen.recipe, weights), computing.device)
        loaded = source.load(SPLITS, chosen.recipe.preprocessing, progress=shard.rank == 0)
        position = (checkpoint.step, checkpoint.epoch) if checkpoint else None
        own = {"their recipe": _without_places(chosen.recipe), "their images": loaded.fingerprint}
        check_same_on_all_ranks({**own, "the checkpoint they go on from": position}, shard)
        check_batches(chosen.recipe, len(loaded.splits["train"]), shard)
        check_classes(chosen.recipe, loaded)
        loaded = replace(loaded, warnings=(*loaded.warnings, *_warnings_about(chosen.recipe, loaded)))
        folder = (
            _create_folder(start, chosen, source, loaded, computing, shard) if start.folder is None else start.folder
        )
        check_same_data(folder, loaded)
        with _lock(folder if start.folder is None else None, shard):
            if shard.rank == 0:
                listener = Listeners(Logger(folder.log), listener)
                remove_leftovers(folder.checkpoints)
            for text in loaded.warnings:
                listener.warning(text)
            listener.message(f"run folder {folder.path}")
            listener.run_started(folder.path, chosen.recipe)
            facts = _facts(chosen.recipe, computing, shard)
            if damaged and checkpoint is None:
                listener.warning("no checkpoint is whole: the run starts again from the beginning")
            if checkpoint is not None:
                _tell_resumed(checkpoint, chosen.recipe, facts, listener)
                state.restore(checkpoint)
            if shard.rank == 0 and start.folder is not None:
                folder.remember_place(chosen.recipe, source.spec.source)
            if shard.rank == 0:
                folder.forget_after(state.progress.step, state.progress.epoch)

            seen = _seen_images(folder, chosen.recipe, loaded)
            data_name = folder.read_record()[1]["data"].get("name", source.name)  # as it was, should it have moved
            for text in told_of_seen(seen, loaded.splits):
                listener.warning(text)

            def write_best() -> None:
                so_far = _best_classifier(state, chosen.recipe, data_name, loaded, seen, is_finished=False)
                write_durably(folder.best_file, so_far.to_bytes())

            Loop(chosen.recipe, folder, state, loaded, computing, shard, listener, facts, write_best).run_all()
            result = None
            if shard.rank == 0:
                classifier = _best_classifier(state, chosen.recipe, data_name, loaded, seen)
                result = finish(folder, chosen.recipe, classifier, loaded, state.progress)
                listener.run_ended(result.scores)
            return from_first_rank(result, shard)  # type: ignore[no-any-return]


def _without_places(recipe: Recipe) -> dict[str, Any]:
    """A recipe's values but for where data and devices are, in which machines may differ."""
    return to_dict(replace(recipe, data=DataSpec(""), runtime=replace(recipe.runtime, device="auto")))  # type: ignore[no-any-return]


def _warnings_about(recipe: Recipe, loaded: LoadedData) -> list[str]:
    """What is to be said of a recipe once the images are known."""
    counts = np.bincount(loaded.splits["train"].labels, minlength=len(loaded.class_names)).tolist()
    return [
        *warnings_about_classes(recipe, loaded.class_names, counts),
        *settings_without_validation(recipe, has_validation="val" in loaded.splits),
    ]


def _lock(folder: RunFolder | None, shard: Shard) -> AbstractContextManager[None]:
    """Hold a folder's lock in the first process; nothing for no folder."""
    return folder.locked() if folder is not None and shard.rank == 0 else nullcontext()


def _create_folder(
    start: RunStart, chosen: Chosen, source: DataSource, loaded: LoadedData, computing: runtime.Runtime, shard: Shard
) -> RunFolder:
    """The new run's folder with its record, made by the first process and known to all."""
    if shard.rank > 0:
        return from_first_rank(None, shard)  # type: ignore[no-any-return]
    folder = RunFolder.create(start.out, chosen.recipe)
    record = {
        "command": start.command,
        "reasons": list(chosen.reasons),
        "warnings": [*chosen.warnings, *loaded.warnings],
        "weights": record_of_weights(chosen.recipe),
        "data": {
            "name": source.name,
            "fingerprint": loaded.fingerprint,
            "class_names": list(loaded.class_names),
            "num_images": {name: len(split) for name, split in loaded.splits.items()},
            "ignored_files": source.ignored_files,
            "bad_images": [{"path": bad.path, "reason": bad.reason} for bad in loaded.bad_images],
        },
        "environment": {**runtime.environment(), **computing.as_dict()},
    }
    folder.write_seen(seen_before(chosen.recipe).then(loaded.splits))
    folder.write_record(chosen.recipe, record)
    folder.record("start", step=0)
    for text in (*chosen.reasons, *chosen.warnings):
        folder.log(text)
    from_first_rank(folder, shard)
    return folder


def _fine_tuned_network(recipe: Recipe, weights: str) -> ResNet:
    """The network that a fresh run starts with from others' weights."""
    network, start = new_network(recipe), recipe.fine_tuning
    load_weights(
        network,
        to_native(read_weights(weights, entry=start.entry)).tensors,
        source=weights,
        reset_head=start.reset_head,
        adapt_channels=start.adapt_channels,
    )
    return network


def _facts(recipe: Recipe, computing: runtime.Runtime, shard: Shard) -> dict[str, Any]:
    """What bit-exact resume needs to be the same."""
    machine = {**runtime.environment(), **computing.as_dict()}
    keys = ("torch", "processor", "cpu_capability", "threads", "gpu", "precision", "compile")
    return {"recipe": to_dict(recipe), "processes": shard.num_ranks, **{key: machine[key] for key in keys}}


def _changed_fields(checkpoint: Checkpoint, recipe: Recipe) -> list[str]:
    """The fields in which a recipe is no longer the one that the checkpoint was written under."""
    # Through the recipe, so that a field which the checkpoint's version did not have yet has its usual value.
    before = to_dict(from_dict(Recipe, checkpoint.state["facts"]["recipe"], where="the checkpoint's recipe"))
    return [name for name, value in to_dict(recipe).items() if value != before[name]]


def _tell_resumed(checkpoint: Checkpoint, recipe: Recipe, facts: dict[str, Any], listener: Listener) -> None:
    """Say that a run goes on, and what is no longer as it was.

    Raises:
        ResnetkitError: where the recipe has changed.
    """
    before = checkpoint.state["facts"]
    changed = _changed_fields(checkpoint, recipe)
    require(
        not changed,
        f"the recipe has changed since the run was started: {', '.join(changed)}",
        fix="put recipe.json back as it was, or start a new run",
        code=Code.WEIGHTS,
    )
    for key, value in before.items():
        if key != "recipe" and facts.get(key) != value:
            now = facts.get(key)
            listener.warning(
                f"{key} was {value!r} and is {now!r} now: the run goes on, but no longer bit for bit as before"
            )
    listener.message(f"resuming after step {checkpoint.step:,}")


def _seen_images(folder: RunFolder, recipe: Recipe, loaded: LoadedData) -> SeenImages:
    """The images that a run's weights meet; one begun by a version that wrote none down knows its own."""
    recorded = folder.read_seen()
    return recorded or SeenImages(is_complete=recipe.fine_tuning.weights is None).then(loaded.splits)


def _best_classifier(
    state: TrainingState,
    recipe: Recipe,
    data_name: str,
    loaded: LoadedData,
    seen: SeenImages,
    *,
    is_finished: bool = True,
) -> Classifier:
    network = ResNet(recipe.model)
    network.load_state_dict(state.best_weights)
    progress = state.progress
    provenance: dict[str, Any] = {
        "data": data_name,
        "data_fingerprint": loaded.fingerprint,
        "recipe": recipe.name,
        "model": recipe.model_name,
        "weights": recipe.fine_tuning.weights and Path(recipe.fine_tuning.weights).name,
        "seed": recipe.seed,
        "epochs": progress.epoch,
        "kept_epoch": progress.kept_epoch,
        "val_top1": progress.best_top1 if progress.kept_epoch == progress.best_epoch else None,
    }
    if not is_finished:
        so_far = "best so far" if recipe.keep == "best" else "last so far"
        told = f"the run had not finished: this is the {so_far}, epoch {progress.kept_epoch} of {recipe.epochs}"
        provenance["warnings"] = [told]
    device = next(state.network.parameters()).device
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Classifier(network, recipe.preprocessing, loaded.class_names, provenance, recipe.data.limits, seen)
