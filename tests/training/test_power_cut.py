"""A power cut at any moment of a run loses nothing that was promised, whatever the disk had not written yet."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.training.power_cut import Recorder, State, roles, states, write_tree

import resnetkit
from resnetkit.classifier.file import FILE_NAME, find_description
from resnetkit.errors import ResnetkitError
from resnetkit.runs.events import Listener
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.result import finished_result
from resnetkit.training import loop
from resnetkit.training.checkpoint import Checkpoint, newest_checkpoint
from resnetkit.training.run import resume

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads names of open files from /proc")

# An update an epoch, with a checkpoint after it and one at the epoch's end: the third removes the first.
SETTINGS = {
    "model.depths": [1, 1, 1],
    "model.widths": [4, 4, 4],
    "epochs": 2,
    "batch_size": 1024,
    "checkpoint_seconds": 0,
    "runtime.threads": 1,
    "runtime.precision": "fp32",
}
OUT = Path("new", "runs")  # neither is there before
AT_THE_END = (FILE_NAME, "answers.npz", "predictions.csv")


@dataclass(frozen=True)
class Promise:
    """What must be found from now on: a run that opens, a checkpoint as new as this one, or the end."""

    what: str
    epoch: int = 0
    step: int = 0


@dataclass(frozen=True)
class Recording:
    """What was recorded of a run, which lies at ``run`` below ``root``.

    Attributes:
        kept: what it ended with.
        verdicts: :func:`broken` of states by their keys, which many planted faults have in common.
    """

    recorder: Recorder
    root: Path
    run: Path
    kept: dict[str, bytes]
    verdicts: dict[int, str] = field(default_factory=dict)

    def states(self, *, without: str | None = None) -> Iterator[State]:
        return states(self.root, self.recorder.moments, without=without)


class Noting(Listener):
    """Hears a run say where it is: from then on it must be found there."""

    def __init__(self, promises: list[Promise]) -> None:
        self.promises = promises

    def message(self, text: str) -> None:
        if text.startswith("run folder"):
            self.promises.append(Promise("run"))


def record(root: Path, promises: list[Promise], action: Callable[[Listener], Path]) -> Recording:
    """Record what an action does below ``root`` that gives a run's folder, which has ended."""
    recorder, real = Recorder(root, promises), loop.save_checkpoint

    def saved(folder: Path, checkpoint: Checkpoint) -> Path:
        path = real(folder, checkpoint)
        promises.append(Promise("checkpoint", checkpoint.epoch, checkpoint.step))
        return path

    with pytest.MonkeyPatch.context() as patch, recorder.recording():
        patch.setattr(loop, "save_checkpoint", saved)
        run = action(Noting(promises))
        promises.append(Promise("end"))
    kept = {name: (run / name).read_bytes() for name in ("recipe.json", *AT_THE_END)}
    return Recording(recorder, root, run.relative_to(root), kept)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A run from its start to its end."""
    root = tmp_path_factory.mktemp("disk")

    def train(listener: Listener) -> Path:
        return resnetkit.train("digits", model="resnet20_b", settings=SETTINGS, out=root / OUT, listener=listener).run

    return record(root, [], train)


@pytest.fixture(scope="module")
def resumed(fresh: Recording, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The same run from the end of its first epoch on: the checkpoint after it is damaged, and is replaced."""
    root = tmp_path_factory.mktemp("disk") / "root"
    promises = [*next(state.promises for state in fresh.states() if Promise("checkpoint", 1, 2) in state.promises)]
    run = state_after(fresh, promises[-1], root)
    (run / "checkpoints" / "step-00000002-epoch-0001" / "weights.safetensors").write_bytes(b"damaged")
    return record(root, promises[:-1], lambda listener: resume(run, listener=listener).run)


def state_after(recording: Recording, promise: Promise, root: Path) -> Path:
    """The run in the last state before any promise after this one."""
    until = next(state.promises for state in recording.states() if promise in state.promises)
    write_tree([state.tree for state in recording.states() if state.promises == until][-1], root)
    return root / recording.run


def broken(recording: Recording, promises: tuple[Promise, ...], folder: Path) -> str:
    """What of the promises does not hold in what a power cut left in a folder; empty where all do."""
    run = RunFolder(folder / recording.run)
    promised = {promise.what for promise in promises}
    if not run.recipe_file.exists():
        return "the run is not found" if promises else ""
    if run.recipe_file.read_bytes() != recording.kept["recipe.json"]:
        return "recipe.json is not whole"
    try:
        run.read_seen()
    except ResnetkitError:
        return "images.json is not whole"
    checkpoint, _ = newest_checkpoint(run.checkpoints)
    found = (checkpoint.epoch, checkpoint.step) if checkpoint else (0, 0)
    if found < max(((p.epoch, p.step) for p in promises), default=(0, 0)):
        return f"the newest checkpoint is {found}"
    if [event["epoch"] for event in run.events("epoch")][: found[0]] != list(range(1, found[0] + 1)):
        return f"the checkpoint {found} counts on epochs that are not in metrics.jsonl"
    log = run.log_file.read_text(errors="replace") if run.log_file.exists() else ""
    if any(f"epoch {epoch} ended" not in log for epoch in range(1, found[0] + 1)):
        return f"the checkpoint {found} counts on lines that are not in log.txt"
    if run.best_file.exists() and find_description(run.best_file) is None:
        return "the best epoch so far is there, but not whole"
    if finished_result(run) is None:
        return "the end is not found" if "end" in promised else ""
    if not run.report_file.exists() or not run.report_file.read_bytes().endswith(b"</html>"):
        return "the run has ended without a whole report"
    for name in AT_THE_END:
        if not (run.path / name).exists() or (run.path / name).read_bytes() != recording.kept[name]:
            return f"the run has ended without its {name}"
    return ""


def first_broken(recording: Recording, folder: Path, *, without: str | None = None) -> str:
    """The first promise that is broken in any state."""
    for promises, tree, key in recording.states(without=without):
        if key not in recording.verdicts:
            write_tree(tree, folder / "disk")
            recording.verdicts[key] = broken(recording, promises, folder / "disk")
            shutil.rmtree(folder / "disk")
        if recording.verdicts[key]:
            return f"promised {promises}: {recording.verdicts[key]}"
    return ""


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """An empty folder where hundreds of states are written in no time."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fresh", "resumed"])
def test_whatever_a_power_cut_leaves_keeps_the_promises(
    name: str, request: pytest.FixtureRequest, in_memory: Path
) -> None:
    assert first_broken(request.getfixturevalue(name), in_memory) == ""


@pytest.mark.slow
def test_each_fsync_that_is_left_out_breaks_a_promise(fresh: Recording, resumed: Recording, in_memory: Path) -> None:
    synced = roles(fresh.recorder.moments)
    for expected in (".", "new", "new/runs", str(fresh.run), f"{fresh.run}/checkpoints/(step)/weights.safetensors"):
        assert expected in synced
    both = (fresh, resumed)
    useless = [role for role in synced if not any(first_broken(run, in_memory, without=role) for run in both)]
    assert useless == []


@pytest.mark.parametrize("promise", [Promise("run"), Promise("checkpoint", 0, 1), Promise("checkpoint", 1, 2)])
def test_after_a_power_cut_a_run_goes_on_to_the_same_bytes(fresh: Recording, promise: Promise, tmp_path: Path) -> None:
    run = state_after(fresh, promise, tmp_path / "disk")
    assert finished_result(RunFolder(run)) is None
    resume(run)
    assert {name: (run / name).read_bytes() for name in AT_THE_END} == {name: fresh.kept[name] for name in AT_THE_END}
    assert [event["epoch"] for event in RunFolder(run).events("epoch")] == [1, 2]
