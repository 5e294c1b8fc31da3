"""Run folders that were tampered with: damaged parts are told as such and passed over, and nothing is a bug."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from resnetkit.errors import Code, ResnetkitError
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.result import finished_result
from resnetkit.training.checkpoint import newest_checkpoint
from resnetkit.training.run import resume, train
from resnetkit.training.state import TrainingState, new_network, new_state

SETTINGS = {
    "model.depths": [1, 1, 1],
    "model.widths": [4, 4, 4],
    "epochs": 2,
    "batch_size": 1024,
    "checkpoint_seconds": 0,
    "ema_decay": 0.9,
    "runtime.threads": 1,
    "runtime.precision": "fp32",
}
DEEP = "[" * 100_000
VALUES = [None, -1, "3", "x", 1e30, float("nan"), True, [], {}, [[1]], {"a": 1}, "\x1b[2J"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train("digits", model="resnet20_b", settings=SETTINGS, out=tmp_path_factory.mktemp("runs")).run


@pytest.fixture(scope="module")
def state(whole: Path) -> TrainingState:
    recipe = RunFolder(whole).read_record().recipe
    return new_state(recipe, new_network(recipe), torch.device("cpu"))


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def newest(run: Path) -> Path:
    return max(path for path in (run / "checkpoints").iterdir())


def sign(checkpoint: Path) -> None:
    """Put the hashes of what is there into the manifest, as whoever knows the format can."""
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    manifest["sha256"] = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in checkpoint.iterdir()
        if file.name != "manifest.json"
    }
    (checkpoint / "manifest.json").write_text(json.dumps(manifest))


def places(tree: Any, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for key, value in tree.items():
        found += [(*above, key), *(places(value, (*above, key)) if isinstance(value, dict) else [])]
    return found


def changed(tree: Any, random: Random) -> Any:
    """A tree with one value replaced, left out or added, somewhere."""
    *parents, leaf = random.choice(places(tree))
    node = tree
    for name in parents:
        node = node[name]
    match random.randrange(3):
        case 0:
            del node[leaf]
        case 1:
            node[leaf] = random.choice(VALUES)
        case 2:
            node[f"{leaf}?"] = random.choice(VALUES)
    return tree


def tamper_checkpoint(checkpoint: Path, random: Random) -> str:
    """Damage a checkpoint under right hashes, and say how."""
    groups = sorted(checkpoint.glob("*.safetensors"))
    file, state = random.choice(groups), checkpoint / "state.json"
    kind = random.choice(["bytes", "no tensor", "other shape", "other group", "deep", "no object", "state", "manifest"])
    match kind:
        case "bytes":
            file.write_bytes(random.randbytes(random.choice([0, 7, 300])))
        case "no tensor" | "other shape":
            tensors = dict(load_file(file))
            name = random.choice(sorted(tensors)) if tensors else "x"
            tensors |= {name: torch.zeros(3, 2)}
            if kind == "no tensor":
                del tensors[name]
            save_file(tensors, file)
        case "other group":
            file.rename(checkpoint / "other.safetensors")
        case "deep":
            state.write_text(DEEP)
        case "no object":
            state.write_text(json.dumps(random.choice(VALUES)))
        case "state":
            content = json.loads(state.read_text())
            content["progress"] = changed(content["progress"], random)
            state.write_text(json.dumps(content))
        case "manifest":
            path = checkpoint / "manifest.json"
            path.write_text(
                random.choice([DEEP, "[]", "{}", json.dumps(changed(json.loads(path.read_text()), random))])
            )
    if kind != "manifest":
        sign(checkpoint)
    return kind


@pytest.mark.parametrize("seed", range(60))
def test_a_tampered_checkpoint_is_passed_over_for_the_one_before(run: Path, state: TrainingState, seed: int) -> None:
    checkpoint = newest(run)
    before = {file.name: file.read_bytes() for file in checkpoint.iterdir()}
    kind = tamper_checkpoint(checkpoint, Random(seed))
    found, damaged = newest_checkpoint(run / "checkpoints", state.misfit)
    assert found is not None
    if damaged:
        assert damaged[0].startswith(checkpoint.name), kind
        assert (found.epoch, found.step) == (1, 2)
    else:  # an extra field, or one that was not there in earlier versions, is no damage
        assert kind in ("state", "manifest", "no tensor"), kind
        weights = load_file(checkpoint / "weights.safetensors")
        assert (checkpoint / "weights.safetensors").read_bytes() == before["weights.safetensors"] or not weights
    state.restore(found)


def tamper_lines(file: Path, random: Random) -> None:
    lines = file.read_bytes().split(b"\n")[:-1]
    extra = [
        b"\xff\x00", b"null", b"3", b"[]", b'"epoch"', DEEP.encode(), b"{}", b'{"event": 3}',
        b'{"event": "epoch"}', b'{"event": "epoch", "epoch": "x", "step": 1}', b'{"event": "end"}',
        b'{"event": "end", "scores": 3, "seconds": "x"}', b'{"event": "end", "scores": {"val": {}}, "seconds": 1}',
        b'{"event": "epoch", "epoch": 1, "step": NaN, "train_loss": NaN, "train_top1": 1}',
        b'{"event": "epoch", "epoch": 1, "step": 1, "train_loss": "\\u001b", "train_top1": []}',
        b'{"event": "epoch", "epoch": -1, "step": 1, "train_loss": 1, "train_top1": 1}',
    ]  # fmt: skip
    lines = [line for line in lines if random.random() < 0.7]
    for line in random.sample(extra, 4):
        lines.insert(random.randrange(len(lines) + 1), line)
    file.write_bytes(b"\n".join(lines) + random.choice([b"", b"\n"]))


@pytest.mark.parametrize("seed", range(20))
def test_lines_of_others_in_the_metrics_are_left_out(run: Path, seed: int) -> None:
    folder = RunFolder(run)
    ours = {json.dumps(event, sort_keys=True) for event in folder.events()}
    tamper_lines(folder.metrics_file, Random(seed))
    kept = [json.dumps(event, sort_keys=True) for event in folder.events() if event["event"] != "end"]
    assert set(kept) <= ours
    result = finished_result(folder)
    assert result is None or set(result.scores) == {"val", "test"}
    folder.forget_after(1, 1)
    assert all(event.get("step", 0) <= 1 for event in folder.events())


@pytest.mark.parametrize("seed", range(40))
def test_a_tampered_record_is_damaged_or_read(run: Path, seed: int) -> None:
    random, file = Random(seed), run / "recipe.json"
    content = json.loads(file.read_text())
    texts: list[Callable[[], bytes]] = [
        lambda: random.randbytes(200),
        lambda: DEEP.encode(),
        lambda: json.dumps(random.choice(VALUES)).encode(),
        lambda: file.read_bytes()[: random.randrange(2000)],
    ]
    texts += [lambda: json.dumps(changed(content, random)).encode()] * 8
    file.write_bytes(random.choice(texts)())
    problem = None
    try:
        record = RunFolder(run).read_record()
    except ResnetkitError as error:
        problem = error
    if problem is not None:
        assert (problem.code, "recipe.json is damaged" in problem.what) == (Code.WEIGHTS, True)
    else:
        assert (record.recipe.epochs, type(record.data.fingerprint)) == (2, str)


def test_a_run_goes_on_from_the_checkpoint_before_a_tampered_one(run: Path, whole: Path) -> None:
    (run / "metrics.jsonl").write_text("null\n" + (whole / "metrics.jsonl").read_text().replace('"end"', '"fin"'))
    (run / "classifier.safetensors").unlink()
    content = json.loads((newest(run) / "state.json").read_text())
    content["progress"]["step"] = -1
    (newest(run) / "state.json").write_text(json.dumps(content))
    sign(newest(run))
    resume(run)
    assert (run / "classifier.safetensors").read_bytes() == (whole / "classifier.safetensors").read_bytes()
    assert [event["epoch"] for event in RunFolder(run).events("epoch")] == [1, 2]
