"""Every field of a recipe does something: moved off its usual value it changes a run, or it is told that it does not.

A field that is added must be entered here: into ``MOVED`` with a value, and what it needs to have an effect, or into
``WITHOUT_EFFECT`` with why the result of a run does not depend on it.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image
from tests.training import test_batches

from resnetkit.config import override, to_dict
from resnetkit.data.loading import open_data
from resnetkit.data.seen import SeenImages
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.evaluation.scoring import read_logits
from resnetkit.images.spec import Preprocessing
from resnetkit.inference.torch_engines import open_plain
from resnetkit.models.catalog import find_entry
from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import Optimizer, Recipe, Sgd
from resnetkit.runs.events import Listener
from resnetkit.runs.folder import RunFolder
from resnetkit.training import final_scores, loop, preparing
from resnetkit.training.best_classifier import ClassifierOrigin, best_classifier
from resnetkit.training.computing import start_computing
from resnetkit.training.final_decision import with_fitted_decision
from resnetkit.training.met_images import MetImages
from resnetkit.training.state import new_network, new_state
from resnetkit.training.steps import Steps

KINDS = {kind().kind: kind for kind in get_args(get_args(Optimizer)[0])}

# Top-1 falls from epoch to epoch, balanced accuracy grows.
SCORED = {"epochs": 3, "scores": [(0.9, 0.1), (0.8, 0.2), (0.7, 0.3), (0.6, 0.4)]}
STEP, MUON, ADAMW = {"schedule.shape": "step"}, {"optimizer.kind": "muon"}, {"optimizer.kind": "adamw"}

# Field: a value that is not its usual one, and what it needs to have an effect.
MOVED: dict[str, tuple[Any, Mapping[str, Any]]] = {
    "data.source": ("{other}", {}),
    "data.validation": ("test", {"data.test_fraction": 0.2}),
    "data.validation_fraction": (0.4, {}),
    "data.test_fraction": (0.4, {}),
    "data.split_seed": (3, {}),
    "data.num_folds": (4, {}),
    "data.fold": (1, {"data.num_folds": 4}),
    "data.max_train_images": (12, {}),
    "data.group_by": (r"(\d)\.png", {}),
    "data.on_bad_image": ("skip", {"data.source": "{broken}"}),
    "data.limits.max_pixels": (10, {}),
    "data.limits.max_file_bytes": (10, {}),
    "decision.unknown_at": (0.5, {}),
    "decision.coverage": (0.5, {}),
    "decision.set_rule": ("aps", {"decision.coverage": 0.5}),
    "decision.precision_at": (0.01, {}),
    "preprocessing.image_size_px": (6, {}),
    "preprocessing.resize_px": (11, {}),
    "preprocessing.channels": (1, {}),
    "preprocessing.mean": ((0.1, 0.2, 0.3), {}),
    "preprocessing.std": ((0.1, 0.2, 0.3), {}),
    "preprocessing.interpolation": ("nearest", {}),
    "preprocessing.channel_order": ("bgr", {}),
    "preprocessing.average_mirrored": (True, {}),
    "preprocessing.jpeg_scaling": ("reduced", {"data.source": "{large}"}),
    "preprocessing.fit": ("squeeze", {}),
    "preprocessing.white_16bit": (2000, {"data.source": "{deep}"}),
    "preprocessing.float_range": ((-1, 2), {"data.source": "{floats}"}),
    "optimizer[sgd].learning_rate": (0.01, {}),
    "optimizer[sgd].momentum": (0.5, {}),
    "optimizer[sgd].nesterov": (False, {}),
    "optimizer[sgd].weight_decay": (0.1, {}),
    "optimizer[adamw].learning_rate": (0.01, ADAMW),
    "optimizer[adamw].betas": ((0.5, 0.9), ADAMW),
    "optimizer[adamw].eps": (0.1, ADAMW),
    "optimizer[adamw].weight_decay": (0.5, ADAMW),
    "optimizer[muon].learning_rate": (0.01, MUON),
    "optimizer[muon].momentum": (0.9, MUON),
    "optimizer[muon].weight_decay": (0.5, MUON),
    "optimizer[muon].sgd_learning_rate": (0.01, MUON),
    "optimizer[muon].sgd_momentum": (0.5, MUON),
    "optimizer[muon].sgd_weight_decay": (0.5, MUON),
    "schedule.shape": ("constant", {}),
    "schedule.warmup_share": (0.5, {}),
    "schedule.final_share": (0.5, {}),
    "schedule.milestones": ((0.2,), STEP),
    "schedule.step_factor": (0.5, STEP),
    "epochs": (3, {}),
    "batch_size": (4, {}),
    "accumulate_steps": (3, {}),
    "label_smoothing": (0.2, {}),
    "ema_decay": (0.9, {}),
    "max_gradient_norm": (0.01, {}),
    "class_weights": ({"a": 5.0}, {}),
    "validate_every_epochs": (2, {}),
    "early_stopping_epochs": (1, SCORED),
    "selection": ("balanced", SCORED),
    "keep": ("last", SCORED),
    "fine_tuning.weights": ("{weights}", {}),
    "fine_tuning.entry": ("two", {"fine_tuning.weights": "{several}"}),
    "fine_tuning.reset_head": (True, {"fine_tuning.weights": "{weights}"}),
    "fine_tuning.adapt_channels": (True, {"fine_tuning.weights": "{grey}"}),
    "fine_tuning.freeze": ("stem", {}),
    "fine_tuning.thaw_every_epochs": (1, {"fine_tuning.freeze": "stem"}),
    "fine_tuning.thaw_to": (
        "stage1",
        {"fine_tuning.freeze": "stage1", "fine_tuning.thaw_every_epochs": 1, "epochs": 3},
    ),
    "fine_tuning.restart_at_thaw": (True, {"fine_tuning.freeze": "stem", "fine_tuning.thaw_every_epochs": 1}),
    "fine_tuning.hold_statistics": (True, {}),
    "fine_tuning.layer_decay": (0.5, {}),
    "fine_tuning.head_factor": (3.0, {}),
    "seed": (1, {}),
    "runtime.precision": ("bf16", {}),
}
MOVED |= {
    f"augmentation.{name}": (value, {f"augmentation.{other}": v for other, v in needed.items()})
    for name, (value, needed) in test_batches.MOVED.items()
}

WITHOUT_EFFECT = {
    "name": "a name",
    "model_name": "a name",
    "data.data_dir": "where files of named data sets are looked for, not what is in them",
    "data.check": "when images are decoded, and what is known before: tests/data/test_unchecked_images.py",
    "data.on_doubt": "if a run starts at all: tests/cli/test_audit.py",
    "data.label_column": "which column of a table names the classes: tests/data/test_tables.py",
    "data.layout": "how the folders of a data set are understood: tests of the image folder",
    "data.max_memory_bytes": "where pixels are kept",
    "data.num_workers": "how many threads read",
    "data.cache": "where decoded pixels are kept",
    "checkpoint_seconds": "when a run can be resumed from",
    "runtime.device": "what computes",
    "runtime.compile": "how it computes",
    "runtime.threads": "how it computes",
    "runtime.deterministic": "how it computes",
}


def fields_of(cls: Any, prefix: str = "") -> Iterator[str]:
    """The paths of all fields of a recipe but those of its network, for which other tests stand."""
    for field in dataclasses.fields(cls):
        default = field.default if field.default is not dataclasses.MISSING else None
        nested = {"data": DataSpec, "preprocessing": Preprocessing}.get(prefix + field.name, type(default))
        if prefix + field.name == "model" or field.name == "kind":
            continue
        if prefix + field.name == "optimizer":
            for kind, spec in KINDS.items():
                yield from fields_of(spec, f"optimizer[{kind}].")
        elif dataclasses.is_dataclass(nested):
            yield from fields_of(nested, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name


def test_every_field_is_entered_here() -> None:
    assert sorted(fields_of(Recipe)) == sorted([*MOVED, *WITHOUT_EFFECT])


# --- runs of a tenth of a second ---


def picture(draw: np.random.Generator, shape: tuple[int, ...], most: int = 255) -> np.ndarray:
    if most == 1:
        return draw.random(shape, np.float32)
    return draw.integers(0, most, shape, dtype=np.uint8 if most < 256 else np.uint16)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders of pictures and files of weights, by the words that stand for them above."""
    root, draw = tmp_path_factory.mktemp("places"), np.random.default_rng(0)
    kinds = {
        "plain": ((10, 12, 3), 255, "png"),
        "other": ((10, 12, 3), 255, "png"),
        "broken": ((10, 12, 3), 255, "png"),
        "large": ((64, 80, 3), 255, "jpg"),
        "deep": ((10, 12), 1023, "png"),
        "floats": ((10, 12), 1, "tif"),
    }
    for place, (shape, most, extension) in kinds.items():
        for name in ("a", "b"):
            (root / place / name).mkdir(parents=True)
            for number in range(12):
                Image.fromarray(picture(draw, shape, most)).save(root / place / name / f"{number}.{extension}")
    (root / "broken" / "a" / "0.png").write_bytes(b"no picture")
    torch.manual_seed(1)
    grey = override(base("").model, {"in_channels": 1})
    torch.save(ResNet(base("").model).state_dict(), root / "weights.pt")
    torch.save(ResNet(grey).state_dict(), root / "grey.pt")
    torch.save({name: ResNet(base("").model).state_dict() for name in ("one", "two")}, root / "several.pt")
    files = {name: str(root / f"{name}.pt") for name in ("weights", "grey", "several")}
    return files | {place: str(root / place) for place in kinds}


def base(source: str) -> Recipe:
    model = override(find_entry("resnet20_b").spec, {"depths": [1], "widths": [4], "strides": [1], "num_classes": 2})
    data = DataSpec(source, validation_fraction=0.2, test_fraction=0.0, cache="off", num_workers=0)
    return Recipe(
        "tiny",
        "tiny",
        model,
        data,
        Preprocessing(8, 9, 3, (0.5,) * 3, (0.25,) * 3),
        optimizer=Sgd(learning_rate=0.05),
        epochs=2,
        batch_size=6,
    )


def digest_of_run(
    settings: Mapping[str, Any], places: Mapping[str, str], folder: Path, patch: pytest.MonkeyPatch
) -> str:
    """A digest of all that a run gives: the weights it keeps and what it was scored; or the error it ends in."""
    given = {path: places[v[1:-1]] if isinstance(v, str) and v.startswith("{") else v for path, v in settings.items()}
    scores = iter(given.pop("scores", ()))
    if "scores" in settings:
        patch.setattr(loop, "quick_scores", lambda *_: told(*next(scores)))
    threads = torch.get_num_threads()
    try:
        recipe = override(base(places["plain"]), {"runtime.precision": "fp32", "runtime.compile": "off", **given})
        loaded = open_data(recipe.data).load(("train", "val"), recipe.preprocessing)
        computing = start_computing(recipe, 24)
        network = preparing._fine_tuned_network(recipe, preparing.RunStart(folder, None)) or new_network(recipe)
        state = new_state(recipe, network, computing.device)
        run_folder = RunFolder(folder)
        run_folder.path.mkdir()
        steps, listener = Steps(recipe, state, loaded, computing), Listener()
        met = MetImages(run_folder, SeenImages(), loaded, steps.shard, listener)
        loop.Loop(steps, run_folder, listener, {}, met).run_all()
        classifier = best_classifier(state, ClassifierOrigin(recipe, "tiny", loaded, met), is_finished=False)
        val = {"val": loaded.splits["val"].without_bad()}
        engine = open_plain(classifier)
        read = {"val": read_logits(engine, val["val"])}
        answers = final_scores._answer(classifier, engine, val, read, loaded.class_names)
        decision = with_fitted_decision(classifier, answers, read, recipe, listener).decision
    except ResnetkitError as error:
        return str(error)
    finally:
        torch.set_num_threads(threads)
    digest = hashlib.sha256()
    for name, tensor in sorted(state.best_weights.items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    timeless = [
        {k: v for k, v in row.items() if k not in ("time", "images_per_second", "elapsed_seconds")}
        for row in run_folder.events("epoch")
    ]
    digest.update(json.dumps([timeless, to_dict(decision)], sort_keys=True).encode())
    return digest.hexdigest()


def told(top1: float, balanced: float) -> dict[str, float]:
    return {"val_loss": 1.0, "val_top1": top1, "val_balanced_top1": balanced}


def path_of(name: str) -> str:
    """``optimizer[adamw].eps`` is set as ``optimizer.eps``."""
    return f"optimizer.{name.partition('].')[2]}" if name.startswith("optimizer[") else name


@pytest.fixture(scope="module")
def known() -> dict[str, str]:
    """What runs gave, by their settings."""
    return {}


@pytest.mark.parametrize("name", MOVED)
def test_a_field_that_is_moved_changes_the_run(
    name: str, places: dict[str, str], known: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value, needed = MOVED[name]
    key = json.dumps(needed, sort_keys=True)
    if key not in known:
        known[key] = digest_of_run(needed, places, tmp_path / "without", monkeypatch)
    assert digest_of_run({**needed, path_of(name): value}, places, tmp_path / "with", monkeypatch) != known[key]


def test_the_same_run_twice_gives_the_same(
    places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (digest_of_run({}, places, tmp_path / name, monkeypatch) for name in ("one", "two"))
    assert one == two
    assert len(one) == 64, "a digest, not an error"
