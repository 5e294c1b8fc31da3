"""``resnetkit weights`` as people type it: list, get, import, and what is printed to be typed next."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save
from tests.fake_hub import FakeHub
from tests.file_server import FileServer
from tests.small_weights import MODEL, state_bytes

from resnetkit.classifier.file import read_description
from resnetkit.models.resnet import create_model
from resnetkit.runs.folder import RunFolder
from resnetkit.sources import weight_store

Cli = Callable[..., tuple[int, str, str]]
PLAIN, ON_THE_HUB = "small.plain_in1k", "small.hub_in1k"
QUICK = ("--epochs", "1", "--set", "runtime.threads=1", "--set", "batch_size=8")


@pytest.fixture
def photos(tmp_path: Path) -> str:
    """A folder of two classes of photographs."""
    rng = np.random.default_rng(0)
    for name in ("ants", "bees"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(12):
            image = Image.fromarray(rng.integers(0, 256, (100, 100, 3), np.uint8))
            image.save(tmp_path / "photos" / name / f"{i}.png")
    return str(tmp_path / "photos")


@pytest.fixture
def published(tmp_path: Path, store: Path, small_table: dict[str, bytes]) -> str:
    """The file of published weights, as somebody has downloaded it."""
    file = tmp_path / "small-1.safetensors"
    file.write_bytes(next(iter(small_table.values())))
    return str(file)


def run_what_is_printed(cli: Cli, out: str, photos: str, *options: str) -> tuple[int, str, str]:
    """The command of the line that says what comes next, with a folder of photographs."""
    (line,) = (line for line in out.splitlines() if line.startswith("next  "))
    program, *words = shlex.split(line.removeprefix("next  "))
    assert program == "resnetkit"
    return cli(*(photos if word == "PHOTOS" else word for word in words), *options)


def weights_of_the_run(folder: Path) -> Path:
    """The weights that the only run in a folder has started from."""
    (run,) = folder.iterdir()
    return Path(RunFolder(run).read_record().recipe.fine_tuning.weights or "")


# --- list ---


def test_the_list_says_what_is_published_and_what_is_here(
    cli: Cli, published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = cli("weights", "list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["weights", PLAIN, ON_THE_HUB]
    assert "70.00 %" in out
    code, out, _ = cli("weights", "list", "--here")
    assert (code, out.splitlines()[0]) == (0, "none on this machine")
    monkeypatch.setenv(weight_store.VARIABLE, f"{tmp_path}:{tmp_path / 'gone'}")
    (tmp_path / "broken.pth").write_bytes(b"")
    code, out, _ = cli("weights", "list", "--here", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert list(rows) == ["broken", str(tmp_path / "gone"), PLAIN]
    assert rows[PLAIN]["here"] == published
    assert rows["broken"]["problem"]
    assert "cannot be searched" in rows[str(tmp_path / "gone")]["problem"]


def test_a_name_that_matches_nothing_is_refused_with_the_nearest(cli: Cli, published: str) -> None:
    for command in (("list", "small.plain_in2k"), ("get", "small.plain_in2k")):
        code, _, err = cli("weights", *command)
        assert code == 2
        assert f"did you mean '{PLAIN}'" in err


# --- import ---


def test_published_weights_are_imported_once_and_what_is_printed_trains(
    cli: Cli, published: str, photos: str, tmp_path: Path, store: Path
) -> None:
    code, out, err = cli("weights", "import", published)
    assert code == 0, err
    first, network, _, origin, _ = out.splitlines()
    assert first == f"kept as {PLAIN}, {store / PLAIN}.safetensors"
    assert network.split() == ["network", f"{MODEL},", "7", "classes"]
    assert origin.split() == ["origin", "somebody,", "licence", "mit"]
    again = cli("weights", "import", published)[1]
    assert again.splitlines()[0] == f"at hand already: {PLAIN}, {store / PLAIN}.safetensors"
    assert again.splitlines()[1:] == out.splitlines()[1:]
    code, _, err = run_what_is_printed(cli, out, photos, *QUICK, "--out", str(tmp_path / "runs"))
    assert code == 0, err
    assert weights_of_the_run(tmp_path / "runs") == store / f"{PLAIN}.safetensors"


def test_what_is_printed_trains_for_weights_of_grey_images_too(
    cli: Cli, photos: str, tmp_path: Path, store: Path
) -> None:
    (tmp_path / "grey.safetensors").write_bytes(state_bytes(in_channels=1))
    code, out, err = cli("weights", "import", str(tmp_path / "grey.safetensors"), "--model", MODEL, "--name", "a=[1]")
    assert code == 0, err
    options = (*QUICK, "--set", "preprocessing.image_size_px=64", "--out", str(tmp_path / "runs"))
    code, _, err = run_what_is_printed(cli, out, photos, *options)
    assert code == 0, err


def test_two_networks_of_the_same_tensors_are_asked_about(cli: Cli, tmp_path: Path, store: Path) -> None:
    name = "resnet50_v1[depths=[1,1,1,1],widths=[2,2,2,2]]"
    file = tmp_path / "resnet50.safetensors"
    file.write_bytes(save(create_model(name, num_classes=3).state_dict()))
    code, _, err = cli("weights", "import", str(file))
    assert code != 0
    assert "they have the same tensors" in err
    statistics = ("--mean", "0.1", "0.2", "0.3", "--std", "0.4", "0.5", "0.6")
    code, out, err = cli("weights", "import", str(file), "--model", name, *statistics, "--json")
    assert code == 0, err
    own = read_description(Path(json.loads(out)["path"]))
    assert (own.model.block.strided_conv, own.preprocessing.mean) == (0, (0.1, 0.2, 0.3))
    assert own.preprocessing.std == (0.4, 0.5, 0.6)


def test_weights_of_the_hub_keep_their_origin(cli: Cli, published: str, fake_hub: FakeHub) -> None:
    fake_hub.repositories["somebody/small"] = {"model.safetensors": state_bytes(1)}
    code, out, err = cli("weights", "import", "hf://somebody/small")
    assert code == 0, err
    assert out.startswith(f"kept as {ON_THE_HUB}, ")
    assert "somebody, licence mit" in out


@pytest.mark.parametrize(
    ("content", "called", "words"),
    [
        (state_bytes()[:-100], "mine.safetensors", "damaged"),
        (b"<!DOCTYPE html><html>please log in</html>", "mine.pth", "web page"),
        (state_bytes(9), "small-1.safetensors", "is not the file that its name says"),
        (None, "mine.pth", "no run folder or file at"),
    ],
    ids=["cut", "page", "impostor", "missing"],
)
def test_what_cannot_be_imported_is_one_error(
    cli: Cli, tmp_path: Path, store: Path, small_table: dict[str, bytes], content: bytes | None, called: str, words: str
) -> None:
    if content is not None:
        (tmp_path / called).write_bytes(content)
    code, out, err = cli("weights", "import", str(tmp_path / called))
    assert code != 0
    assert out == ""
    assert err.startswith("error: ")
    assert words in err
    assert not store.exists()


def test_a_full_disk_is_one_error(cli: Cli, published: str, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("resnetkit.files.os.fsync", full)
    code, _, err = cli("weights", "import", published)
    assert code != 0
    assert "free some disk space" in err
    assert not list(store.glob("*"))


# --- get ---


@pytest.fixture
def server(file_server: FileServer, published: str, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """A hub, and a mirror of what is elsewhere."""
    file_server.files |= {
        "somebody/small/resolve/main/model.safetensors": state_bytes(1),
        "small-1.safetensors": Path(published).read_bytes(),
    }
    monkeypatch.setenv("HF_ENDPOINT", file_server.address)
    return file_server


def test_weights_are_got_once_and_what_is_printed_trains(
    cli: Cli, server: FileServer, photos: str, tmp_path: Path
) -> None:
    code, out, err = cli("weights", "get", PLAIN, "--mirror", server.address)
    assert code == 0, err
    assert out.startswith(f"kept as {PLAIN}, ")
    assert "  checked  it has the SHA-256 " in out
    again = cli("weights", "get", PLAIN, "--mirror", server.address, "--json")[1]
    assert (json.loads(again)["is_new"], len(server.requests)) == (False, 1)
    code, _, err = run_what_is_printed(cli, out, photos, *QUICK, "--out", str(tmp_path / "runs"))
    assert code == 0, err


def test_what_lies_in_a_folder_of_the_users_is_not_got_and_what_is_printed_trains(
    cli: Cli, server: FileServer, published: str, photos: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    file = Path(published).rename(tmp_path / "mine" / "any.safetensors")
    monkeypatch.setenv(weight_store.VARIABLE, str(tmp_path / "mine"))
    code, out, err = cli("weights", "get", PLAIN)
    assert code == 0, err
    assert out.startswith(f"at hand already: {PLAIN}, {file}")
    assert not server.requests
    code, _, err = run_what_is_printed(cli, out, photos, *QUICK, "--out", str(tmp_path / "runs"))
    assert code == 0, err
    assert weights_of_the_run(tmp_path / "runs") == file


def test_what_cannot_be_got_says_what_to_do(cli: Cli, server: FileServer) -> None:
    server.files.clear()
    code, _, err = cli("weights", "get", ON_THE_HUB)
    assert code != 0
    assert "the server answered 404" in err
    assert "resnetkit weights import" in err
    code, _, err = cli("weights", "get", ON_THE_HUB, "--deadline", "0")
    assert code == 2
    assert "--deadline must be above 0" in err


# --- train ---


def test_a_download_is_what_training_starts_from_or_said_to_be_in_vain(
    cli: Cli, server: FileServer, photos: str, tmp_path: Path, store: Path
) -> None:
    start = ("train", photos, "--weights", ON_THE_HUB, "--reset-head", "--out", str(tmp_path / "runs"), *QUICK)
    code, _, err = cli(*start)
    assert code != 0
    assert "are not on this machine" in err
    code, _, err = cli(*start, "--download")
    assert code == 0, err
    assert "no effect" not in err
    assert weights_of_the_run(tmp_path / "runs") == store / f"{ON_THE_HUB}.safetensors"
    options = ("--download", "--set", "model.depths=[1,1,1]", "--out", str(tmp_path / "others"))
    code, _, err = cli("train", "digits", *options, *QUICK)
    assert code == 0, err
    assert "warning: --download has no effect" in err
