"""compare and the pictures of describe, as a user calls them."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from resnetkit.models.resnet import create_model

Cli = Callable[..., object]


def test_two_names(cli: Cli) -> None:
    done = cli("compare", "resnet18", "resnet50")
    assert done.code == 0
    for words in ("11,689,512", "25,557,032", "× 2.19", "kind of block", "16.9 times fewer", "arXiv:1512.03385"):
        assert words in done.out
    values = json.loads(cli("compare", "resnet18", "resnet50", "--json").out)
    assert values["networks"]["quantities"][0]["b"] == 50
    assert (values["classifiers"], values["tensors"], values["runs"]) == (None, None, None)


def test_a_variation_of_a_name(cli: Cli) -> None:
    out = cli("compare", "resnet20", "resnet20[join=exclusive_gate]").out
    assert "addition" in out
    assert "g × branch" in out


def test_one_size_for_both(cli: Cli) -> None:
    assert "The input shapes differ" in cli("compare", "resnet18", "resnet20").out
    values = json.loads(cli("compare", "resnet18", "resnet20", "--image-size", "32", "--json").out)
    assert values["networks"]["a"]["input_shape"] == values["networks"]["b"]["input_shape"] == [3, 32, 32]


def test_a_run_and_a_changed_copy_of_it(cli: Cli, trained: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    record = json.loads((copy / "recipe.json").read_text())
    record["recipe"]["seed"] = 7
    (copy / "recipe.json").write_text(json.dumps(record))
    done = cli("compare", str(trained), str(copy))
    assert done.code == 0
    for words in ("The networks are the same", "the same preprocessing", "seed", "Not decided: equally many right"):
        assert words in done.out
    values = json.loads(cli("compare", str(trained), str(copy), "--json").out)
    assert values["runs"]["recipe"] == [{"field": "seed", "a": "0", "b": "7"}]
    (pair,) = values["answers"]["pairs"]
    assert (pair["p_value"], pair["top1"]["value"], pair["is_decided"]) == (1, 0, False)
    assert all(part["num_equal"] == part["num_tensors"] for part in values["tensors"]["distances"])


def test_a_classifier_file_and_a_name(cli: Cli, trained: Path) -> None:
    values = json.loads(cli("compare", str(trained / "classifier.safetensors"), "resnet20_b", "--json").out)
    assert values["networks"]["differences"][0]["name"] == "depth"
    assert values["classifiers"] is None


def test_two_weight_files(cli: Cli, tmp_path: Path) -> None:
    weights = create_model("resnet20").state_dict()
    torch.save(weights, tmp_path / "a.pt")
    weights["layer2.0.conv1.weight"] = weights["layer2.0.conv1.weight"] * 1.1
    torch.save(weights, tmp_path / "b.pt")
    values = json.loads(cli("compare", str(tmp_path / "a.pt"), str(tmp_path / "b.pt"), "--json").out)
    moved = {part["part"]: part for part in values["tensors"]["distances"] if part["largest"]}
    assert list(moved) == ["stage 2"]
    assert moved["stage 2"]["num_tensors"] - moved["stage 2"]["num_equal"] == 1
    assert "stage 2" in cli("compare", str(tmp_path / "a.pt"), str(tmp_path / "b.pt")).out


@pytest.mark.parametrize(
    ("names", "code", "words"),
    [
        (("resnet18", "resnet51"), 2, "did you mean"),
        (("resnet18", "nowhere/run"), 4, "no run folder or file"),
        (("resnet18", "nowhere.pt"), 4, "no run folder or file"),
    ],
)
def test_what_is_not_there(cli: Cli, empty_folder: Path, names: tuple[str, str], code: int, words: str) -> None:
    done = cli("compare", *names)
    assert done.code == code
    assert words in done.err


def test_weights_and_a_name(cli: Cli, tmp_path: Path) -> None:
    for name in ("resnet18", "resnet50"):
        torch.save(create_model(name, widths=(8, 8, 8, 8)).state_dict(), tmp_path / f"{name}.pt")
    known = cli("compare", str(tmp_path / "resnet18.pt"), "resnet18[widths=[8,8,8,8]]")
    assert known.code == 0
    assert "The networks are the same" in known.out
    open_choice = cli("compare", str(tmp_path / "resnet50.pt"), "resnet18")  # v1 or v1.5?
    assert open_choice.code == 2
    assert "nothing to compare" in open_choice.err
    picture = tmp_path / "net.svg"
    undrawn = cli("describe", str(tmp_path / "resnet50.pt"), "--svg", str(picture))
    assert (undrawn.code, picture.exists()) == (2, False)
    assert "leaves open which network it is" in undrawn.err


def test_describe_draws(cli: Cli) -> None:
    blocks = cli("describe", "resnet18", "--draw", "blocks").out
    assert "identity block · stage 1: blocks 1, 2" in blocks
    assert "⊕" in blocks
    assert "skip: identity" in cli("describe", "resnet18", "--draw", "network").out
    assert cli("describe", "resnet18", "--draw", "network", "--json").code == 2


def test_describe_lists_layers(cli: Cli) -> None:
    lines = cli("describe", "resnet20", "--draw", "summary").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert ["conv1", "3×3 conv, 3 → 16", "16×32×32", "432"] in [re.split("  +", line) for line in lines]
    (total,) = (line for line in lines if line.startswith("parameters "))
    assert total.split()[1] == "269,722"
    told = json.loads(cli("describe", "resnet20", "--draw", "summary", "--json").out)
    assert (told["name"], told["parameters"]) == ("resnet20", 269_722)
    assert sum(row["parameters"] for row in told["rows"] if row["level"] == 0) == 269_722
    assert cli("describe", "resnet20", "--draw", "summary", "--svg", "x.svg").code == 2


@pytest.mark.parametrize("what", ["orders", "shortcuts"])
def test_describe_draws_sheets_of_the_papers_network_or_any(cli: Cli, tmp_path: Path, what: str) -> None:
    assert "stage 1, block 2 of resnet110" in cli("describe", "--draw", what).out
    assert "of resnet18" in cli("describe", "resnet18", "--draw", what).out
    file = tmp_path / "sheet.svg"
    assert cli("describe", "--draw", what, "--svg", str(file)).code == 0
    assert ElementTree.parse(file).getroot().tag.endswith("svg")
    unnamed = cli("describe", "--draw", "blocks")
    assert (unnamed.code, "must be named" in unnamed.err) == (2, True)


@pytest.mark.parametrize("what", [(), ("--draw", "blocks")])
def test_describe_writes_a_picture(
    cli: Cli, tmp_path: Path, what: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resnetkit.anatomy.memory.measure_memory", None)  # pictures wait for no torch
    file = tmp_path / "net.svg"
    done = cli("describe", "keras_resnet50v2", "--svg", str(file), *what)
    assert (done.code, done.out) == (0, "")
    assert str(file) in done.err
    assert ElementTree.parse(file).getroot().tag.endswith("svg")


def test_a_picture_replaces_nothing_but_pictures(cli: Cli, tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    assert cli("describe", "resnet18", "--svg", str(other)).code == 2
    foreign = tmp_path / "foreign.svg"
    foreign.write_text("<svg>mine</svg>")
    assert cli("describe", "resnet18", "--svg", str(foreign)).code == 2
    assert (other.read_text(), foreign.read_text()) == ("mine", "<svg>mine</svg>")
    own = tmp_path / "own.svg"
    assert [cli("describe", "resnet20", "--svg", str(own)).code for _ in range(2)] == [0, 0]


def test_describe_json_carries_it_all(cli: Cli) -> None:
    content = json.loads(cli("describe", "resnet18", "--json").out)
    assert (content["num_layers"], content["receptive_field_px"]) == (18, 435)
    assert content["kept_bytes"] == sum(row["kept_bytes"] for row in content["rows"])
    assert content["peak_bytes"] == max(row["peak_bytes"] for row in content["rows"])
    assert content["activations"] == sum(row["activations"] for row in content["rows"])
    assert content["rows"][3]["strided_layer"] == "block 1, conv1 (3×3)"
