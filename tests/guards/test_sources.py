"""Every command that takes a source, with every kind of source: it works, or says why that kind does not suit."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save
from tests.cli.conftest import Outcome, cli
from tests.fake_hub import FakeHub

from resnetkit.errors import ResnetkitError
from resnetkit.machine import peaks
from resnetkit.models.resnet import create_model
from resnetkit.sources.weights import open_network
from resnetkit.training.planning import plan

__all__ = ["cli"]  # a fixture

Cli = Callable[..., Outcome]

# One of each kind, and another with the same network, which is soon compared.
KINDS = {
    "run": "classifier",
    "unfinished": "classifier",
    "classifier": "run",
    "weights": "folder",
    "hf://me/weights": "weights",
    "hf://me/classifier": "classifier",
    "resnet20": "resnet20",
}
COMMANDS = {
    "predict": "predict {} images/0/0.png --top 1 --engine torch",
    "explain": "explain {} images/0/0.png --out explained",
    "evaluate": "evaluate {} images --engine torch",
    "convert": "convert {} out.safetensors",
    "convert for others": "",
    "describe": "describe {}",
    "compare": "compare {} {same}",
    "benchmark": "benchmark {} --only predict -b 1 --image-size 8 --rounds 1 --seconds 0.001 --threads 1",
    "train": "",
}
# What a kind is refused with, and by which commands it is not.
REFUSALS = {
    "unfinished": ("the run has not finished", {"benchmark"}),
    "resnet20": ("a name alone has no weights", {"describe", "compare", "benchmark"}),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, pretrained: Path) -> Path:
    """A folder with images and one of each kind of source, called so."""
    place = tmp_path_factory.mktemp("sources")
    for name in ("0", "1"):
        (place / "images" / name).mkdir(parents=True)
        Image.fromarray(np.full((8, 8), 90, np.uint8)).save(place / "images" / name / "0.png")
    shutil.copytree(pretrained, place / "run")
    (place / "unfinished").mkdir()
    shutil.copy(pretrained / "recipe.json", place / "unfinished")
    shutil.copy(pretrained / "classifier.safetensors", place / "classifier")  # what a file is, its name need not say
    theirs = create_model("akamaster_resnet20", depths=(1, 1, 1), widths=(16, 16, 16)).state_dict()
    theirs = {name.replace("fc.", "linear."): tensor for name, tensor in theirs.items()}
    torch.save({"state_dict": theirs}, place / "weights")
    (place / "folder").mkdir()
    (place / "folder" / "model.safetensors").write_bytes(save(theirs))
    return place


@pytest.fixture
def in_place(place: Path, fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """The working directory is that folder, and the hub has the files in it."""
    fake_hub.repositories["me/weights"] = {"model.safetensors": (place / "folder/model.safetensors").read_bytes()}
    fake_hub.repositories["me/classifier"] = {"classifier.safetensors": (place / "classifier").read_bytes()}
    monkeypatch.chdir(place)
    monkeypatch.setattr(peaks, "SIDES", (8,))
    monkeypatch.setattr(peaks, "SECONDS_PER_SIDE", 0.0)
    for left in place.glob("out.*"):
        left.unlink()
    return fake_hub


@pytest.fixture
def call(cli: Cli) -> Cli:
    """Runs a command with a source; of two, only what they open, because the rest takes long or suits few networks."""

    def call(command: str, source: str) -> Outcome:
        if COMMANDS[command]:
            return cli(*COMMANDS[command].format(source, same=KINDS.get(source, "resnet20")).split())
        adapted = {"fine_tuning.reset_head": True, "fine_tuning.adapt_channels": True}
        try:
            if command == "train":
                plan("digits", settings={"fine_tuning.weights": source, **adapted})
            else:
                open_network(source)
        except ResnetkitError as error:
            return Outcome(int(error.code), "", str(error))
        return Outcome(0, "", "")

    return call


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_every_kind_of_source_or_says_why_not(
    command: str, kind: str, in_place: FakeHub, call: Cli
) -> None:
    done = call(command, kind)
    refusal, by_others = REFUSALS.get(kind, ("", COMMANDS.keys()))
    if command in by_others:
        assert done.code == 0, done.err
    else:
        assert (done.code, refusal in done.err) == (4, True), done.err
    downloads = [path for path in in_place.requests if "/resolve/" in path and path.endswith(".safetensors")]
    assert len(downloads) == 2 * kind.startswith("hf://")  # a HEAD and a GET: it is fetched once


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("clasifier", "did you mean classifier?"),
        ("./weihgts", "did you mean weights?"),
        ("hf://me/nothing", "could not be fetched"),
        ("images", "it is not a run folder"),
        ("nowhere/near.pth", "no run folder or file at nowhere/near.pth"),
    ],
)
def test_every_command_tells_a_near_miss_alike(
    command: str, typed: str, words: str, in_place: FakeHub, call: Cli
) -> None:
    done = call(command, typed)
    assert done.code != 0
    if typed == "clasifier" and command in REFUSALS["resnet20"][1]:  # where a network may be meant, it may be that
        words = "unknown network 'clasifier'"
    assert words in done.err
