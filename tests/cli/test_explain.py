"""``resnetkit explain``: rows, files, refusals."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.small_classifiers import SMALL
from tests.small_decisions import MIXED, images_in, with_yardstick

import resnetkit
from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.demanding import demanding
from resnetkit.explanation.methods import METHODS
from resnetkit.inference import predictors
from resnetkit.inference.conditions import find_conditions
from resnetkit.models.spec import FULL_PREACT

Cli = Callable[..., tuple[int, str, str]]
KINDS = {
    "v1": SMALL,
    "pre-activated": replace(SMALL, block=replace(SMALL.block, order=FULL_PREACT)),
    "grey": replace(SMALL, in_channels=1),
}


@pytest.fixture(autouse=True)
def _here(empty_folder: Path) -> None:
    """Files are written to the test's own folder."""


@pytest.fixture
def pets(make: Callable[..., Classifier]) -> str:
    make().save("pets.safetensors")
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)).save(f"{folder}/cat.png")
    Path("a/bad.png").write_bytes(b"no image")
    return "pets.safetensors"


def files(folder: str = ".") -> list[str]:
    return sorted(str(path) for path in Path(folder).rglob("*") if path.is_file())


def test_a_page_in_a_new_folder_each_time(cli: Cli, pets: str) -> None:
    for number in (1, 2):
        code, out, err = cli("explain", pets, "a/cat.png", "a/bad.png")
        page = f"explanations/000{number}-pets/explanations.html"
        assert (code, f"wrote {page}" in out) == (1, True)
        assert "1 of 2 files could not be read" in err
        assert Path(page).read_text().count('<section class="explained">') == 2
    header, good, bad, _ = out.splitlines()
    assert header.split() == ["file", "status", "class", "probability", "why", "look", "at"]
    assert good.startswith("a/cat.png  ok")
    assert bad.startswith("a/bad.png  error")
    assert "is not a JPEG" in bad


def test_images_of_the_same_name_have_files_of_their_own(cli: Cli, pets: str) -> None:
    code, out, _ = cli("explain", pets, "a/cat.png", "b", "--format", "png", "--out", "maps", "--json")
    assert code == 0
    assert files("maps") == ["maps/cat-2.png", "maps/cat.png"]
    images = json.loads(out)["images"]
    assert [(image["path"], image["file"]) for image in images] == [
        ("a/cat.png", "maps/cat.png"),
        ("b/cat.png", "maps/cat-2.png"),
    ]
    assert images[0]["maps"][0].keys() == {"method", "layer", "grid", "strongest", "gap", "check"}


def test_files_of_others_are_refused_before_anything_is_computed(cli: Cli, pets: str) -> None:
    Path("maps").mkdir()
    Path("maps/cat.svg").write_text("mine")
    code, _, err = cli("explain", "nowhere", "a/cat.png", "b/cat.png", "-f", "svg", "-o", "maps")
    assert code == 2
    assert "maps/cat.svg is there already, and no explanation of ours" in err
    assert files("maps") == ["maps/cat.svg"]
    assert Path("maps/cat.svg").read_text() == "mine"


def test_a_mistake_leaves_nothing_behind(cli: Cli, pets: str) -> None:
    before = files()
    for arguments, words in (
        (["--class", "clas 1"], "did you mean 'class 1'?"),
        (["--against", "dog"], "unknown class 'dog'"),
        (["--layer", "stage9"], "unknown layer 'stage9'"),
        (["--method", "gradcam"], "did you mean 'grad_cam'?"),
    ):
        code, _, err = cli("explain", pets, "a/cat.png", *arguments)
        assert (code, words in err) == (2, True), err
    code, out, _ = cli("explain", pets, "a/bad.png", "-f", "npz")
    assert (code, out.splitlines()[-1]) == (1, "nothing was written")
    assert (files(), list(Path().glob("explanations/*"))) == (before, [])


@pytest.fixture
def _one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several the fastest would be looked for, which takes seconds."""
    monkeypatch.setattr(predictors, "find_conditions", lambda _, **settings: find_conditions("torch", **settings))


@pytest.mark.usefixtures("_one_engine")
def test_what_is_asked_is_what_is_explained_and_checked(cli: Cli, pets: str) -> None:
    Image.fromarray(np.full((24, 24, 3), 90, np.uint8)).save("b/plain.png")
    asked = ("explain", pets, "b", "--against", "class 0", "--layer", "stage1", "--check", "--out", "maps")
    images = json.loads(cli(*asked, "--json")[1])["images"]
    predicted = resnetkit.predict(pets, [image["path"] for image in images])
    assert len(images) == 2
    for image, answer in zip(images, predicted, strict=True):
        assert image["class"] == answer.class_name
        assert image["probability"] == pytest.approx(answer.top[0][1], rel=1e-5)
        assert (image["against"], image["maps"][0]["layer"]) == ("class 0", "stage1")
    (row,) = [line for line in cli(*asked)[1].splitlines() if line.startswith("Grad-CAM ")]
    checks = [image["maps"][0]["check"] for image in images]
    for value in (
        *[np.mean([check[whose]["insertion"] for check in checks]) for whose in ("own", "blob", "random")],
        *[np.mean([check[whose]["deletion"] for check in checks]) for whose in ("own", "blob", "random")],
        *[np.mean([check[key] for check in checks]) for key in ("head_anew", "last_stage_anew")],
    ):
        assert f"{value:.2f}" in row


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("_one_engine")
def test_all_methods_on_any_network(kind: str, cli: Cli, pets: str, make: Callable[..., Classifier]) -> None:
    make(KINDS[kind]).save("any.safetensors")
    code, out, err = cli("explain", "any.safetensors", "a/cat.png", "--method", "all", "--json", "--class", "class 2")
    assert code == 0, err
    (image,) = json.loads(out)["images"]
    assert [heat["method"] for heat in image["maps"]] == list(METHODS)
    assert image["explained"] == "class 2"
    assert Path(image["file"]).read_text().count("<figure>") == 1 + len(METHODS)


def test_limits_and_preprocessing_are_heeded(cli: Cli, pets: str) -> None:
    code, out, _ = cli("explain", pets, "a/cat.png", "--max-pixels", "100")
    assert code == 1
    assert "--max-pixels" in out


def test_a_map_of_few_values_is_told_of(cli: Cli, pets: str, make: Callable[..., Classifier]) -> None:
    make(size=6).save("small.safetensors")
    assert "a map of 3×3 values cannot say much" in cli("explain", "small.safetensors", "a/cat.png")[2]
    assert "values cannot say much" not in cli("explain", pets, "a/cat.png")[2]


def test_help_lists_the_methods(cli: Cli) -> None:
    listed = cli("explain", "--help")[1].partition("Methods (--method):\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in listed.splitlines()] == list(METHODS)


@pytest.mark.parametrize("rate", ["0.5", "0"])
def test_the_command_explains_what_it_calls_unknown(cli: Cli, make: Callable[..., Classifier], rate: str) -> None:
    classifier = demanding(with_yardstick(make()), MIXED)
    classifier.save("judged.safetensors")
    images_in(Path("images"), classifier, 6)
    words = ("images", "--unknown-at", rate, "--precision-at", "0")
    code, out, _ = cli("explain", "judged.safetensors", *words, "--out", "maps")
    assert code == 0
    statuses = [line.split()[1] for line in out.splitlines()[1:-1]]
    predicted = cli("predict", "judged.safetensors", *words, "--engine", "torch", "--coverage", "0").out
    assert statuses == [line.split()[1] for line in predicted.splitlines()[1:]]
    assert ("unknown" in statuses) == (rate == "0.5")
