"""analyze, as a user calls it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Cli = Callable[..., object]
FEW = ("--images", "20", "--figure", "responses")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "analyses"


def test_a_run_on_its_own_images(cli: Cli, trained: Path, out: Path) -> None:
    done = cli("analyze", str(trained), *FEW, "-o", str(out))
    assert done.code == 0
    assert "arXiv:1512.03385, Figure 7" in done.out
    assert f"page  {out}/0001-{trained.name}/analysis.html" in done.out
    assert f"{trained.name}: responses" in done.err
    page = (out / f"0001-{trained.name}" / "analysis.html").read_text()
    assert "20 of digits, split test" in page
    assert f"resnetkit analyze {trained} --images 20 --figure responses" in page


def test_two_side_by_side_with_their_landscapes_as_json(cli: Cli, trained: Path, out: Path) -> None:
    copy = out.parent / "again.safetensors"
    copy.write_bytes((trained / "classifier.safetensors").read_bytes())
    landscape = ("--landscape", "--grid", "3", "--span", "0.5")
    words = ("analyze", str(trained), "--against", str(copy), *FEW, *landscape, "-o", str(out), "--json")
    done = cli(*words)
    assert done.code == 0
    assert "shown other images" in done.err  # none, for a file does not say which
    values = json.loads(done.out)
    assert [one["name"] for one in values["analyses"][0]["figures"]] == ["responses", "landscape"]
    assert [one["name"] for one in values["analyses"][1]["left_out"]] == ["responses", "landscape"]
    assert values["folder"] == str(out / f"0001-{trained.name}-against-again.safetensors")
    (points,) = (out / "landscapes").iterdir()
    before = points.read_bytes()
    head = json.loads(before.splitlines()[0])
    assert (head["grid"], head["span"]) == (3, 0.5)
    again = cli(*words)
    assert points.read_bytes() == before
    assert json.loads(again.out)["folder"].startswith(str(out / "0002-"))
    assert "1 of 9 points" in done.err
    assert "points" not in again.err  # all are known


def test_data_are_shown_to_both(cli: Cli, trained: Path, out: Path) -> None:
    words = ("--seed", "5", "-o", str(out), "--json")
    done = cli("analyze", str(trained), "digits", "--against", "resnet20", *FEW, *words)
    values = json.loads(done.out)
    assert [(one["is_trained"], one["seed"]) for one in values["analyses"]] == [(True, 5), (False, 5)]
    assert (
        "responds less strongly" in values["verdicts"]["responses"]
        or "hardly differ" in values["verdicts"]["responses"]
    )


def test_what_cannot_be_made_is_told(cli: Cli, trained: Path, out: Path) -> None:
    done = cli("analyze", "resnet20", "digits", *FEW, "--landscape", "-o", str(out))
    assert done.code == 0
    assert "warning: resnet20: no landscape: needs trained weights" in done.err
    nothing = cli("analyze", "resnet20", "--figure", "responses", "-o", str(out))
    assert nothing.code == 2
    assert "why: responses: needs images (give data)" in nothing.err


def test_stages_are_pictured_of_an_image_of_the_user_s(cli: Cli, out: Path) -> None:
    out.mkdir()
    file, broken = out / "photo.png", out / "broken.png"
    Image.fromarray(np.arange(48 * 40 * 3, dtype=np.uint8).reshape(48, 40, 3)).save(file)
    broken.write_bytes(b"no image")
    words = ("analyze", "resnet20[depths=[1,1,1]]", "-f", "stages", "-o", str(out), "--json", "--image")
    (figure,) = json.loads(cli(*words, str(file)).out)["analyses"][0]["figures"]
    pixels = np.array(figure["panels"][0]["pictures"][0]["pixels"])
    assert pixels.shape == (32, 32, 3)
    assert pixels[..., 0].std() > 1
    done = cli(*words, str(broken))
    assert done.code == 3
    assert "broken.png cannot be used" in done.err


def test_stopped_it_says_what_is_kept(cli: Cli, trained: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from resnetkit.analysis.landscape import Terrain

    height, calls = Terrain.height, []

    def stopping(terrain: Terrain, a: float, b: float) -> object:
        calls.append((a, b))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return height(terrain, a, b)

    monkeypatch.setattr(Terrain, "height", stopping)
    words = ("analyze", str(trained), "-n", "20", "-f", "landscape", "--grid", "3", "-o", str(out))
    stopped = cli(*words)
    assert stopped.code == 130
    assert "3 points are kept; the same command goes on there" in stopped.err
    assert cli(*words).code == 0
    assert len(calls) == 4 + 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("resnet20", "--figure", "lesion"), "unknown figure 'lesion'"),
        (("resnet20", "--landscape", "--grid", "24"), "odd number"),
        (("resnet20", "--against", "resnet20"), "give another network"),
        (("resnet21",), "did you mean"),
        (("resnet20", "--images", "0"), "at least 1"),
        (("resnet20", "--model", "resnet20"), "is a network's name"),
    ],
)
def test_what_cannot_be_is_told_before_any_work(cli: Cli, out: Path, words: tuple[str, ...], said: str) -> None:
    done = cli("analyze", *words, "-o", str(out))
    assert done.code in (2, 4)
    assert said in done.err
    assert not out.exists() or not list(out.iterdir())


def test_a_folder_that_cannot_be_made_is_told(cli: Cli, out: Path) -> None:
    out.write_text("mine")
    done = cli("analyze", "resnet20", "-o", str(out))
    assert done.code == 7
    assert "opening" not in done.err  # before any work
    assert out.read_text() == "mine"


def test_options_of_a_landscape_that_is_not_asked_for_are_idle(cli: Cli, out: Path) -> None:
    done = cli("analyze", "resnet20", "--grid", "5", "--image", "x.png", "-n", "5", "-f", "paths", "-o", str(out))
    assert "--grid has no effect without the figure landscape" in done.err
    assert "--image has no effect without the figure stages" in done.err
    assert "--images has no effect without data" in done.err
