"""`convert`, and `evaluate` and `predict` on weights that are not ours."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from resnetkit.data.spec import DataSpec
from resnetkit.models.resnet import create_model
from resnetkit.sources.weights import open_network
from resnetkit.training.planning import plan
from resnetkit.weights import load_weights, read_weights, to_native

from .conftest import Outcome

Cli = Callable[..., Outcome]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file as an old repository saved it, for grey images of ten classes."""
    network = create_model("akamaster_resnet20", in_channels=1)
    torch.save(
        {"state_dict": {f"module.{n}".replace("fc.", "linear."): t for n, t in network.state_dict().items()}},
        tmp_path / "net.th",
    )
    return tmp_path / "net.th"


@pytest.mark.slow
def test_weights_are_evaluated_with_what_is_said_about_them(cli: Cli, weights: Path) -> None:
    named = cli("evaluate", str(weights), "digits", "--class-names", "digits", "--preprocess", "resize_px=40")
    assert named.code == 0, named.err
    assert "on digits, split test" in named.out
    assert "warning" not in named.err
    silent = cli("evaluate", str(weights), "digits")
    assert silent.code == 0, "digits are called 0 to 9, as unnamed classes are"
    assert "warning: the file does not say how its images are prepared" in silent.err
    assert "warning: the file does not name its classes" in silent.err


def test_weights_become_a_classifier_that_needs_no_more_words(cli: Cli, weights: Path, tmp_path: Path) -> None:
    target = tmp_path / "digits.safetensors"
    arguments = ("--class-names", "digits", "--preprocess", "mean=[0.3]")
    assert cli("convert", str(weights), str(target), *arguments).out == f"wrote {target}\n"
    Image.new("L", (8, 8), 200).save(tmp_path / "grey.png")
    direct = cli("predict", str(weights), str(tmp_path / "grey.png"), "-f", "csv", *arguments)
    converted = cli("predict", str(target), str(tmp_path / "grey.png"), "-f", "csv")
    assert converted.code == 0
    assert converted.out == direct.out
    assert not converted.err
    again = cli("convert", str(weights), str(target), *arguments)
    assert (again.code, "exists already" in again.err) == (2, True)
    said = cli("predict", str(target), str(tmp_path / "grey.png"), *arguments)
    assert said.code == 2
    assert "has class names and a preprocessing of its own" in said.err


@pytest.mark.slow
def test_every_command_that_reads_a_training_checkpoint_tells_what_it_leaves_aside(cli: Cli, tmp_path: Path) -> None:
    network = create_model("resnet20_b", in_channels=1, num_classes=10).state_dict()
    content = {f"model.{name.replace('fc.', 'fc.1.')}": tensor for name, tensor in network.items()}
    file = tmp_path / "last.ckpt"
    torch.save({"state_dict": {**content, "criterion.weight": torch.ones(10)}, "epoch": 3}, file)
    told = "left aside, as no part of the network: 'criterion.weight'"
    assert told in cli("describe", str(file)).out
    Image.new("L", (8, 8), 200).save(tmp_path / "grey.png")
    for arguments in (
        ("predict", str(file), str(tmp_path / "grey.png"), "--class-names", "digits"),
        ("evaluate", str(file), "digits"),
        ("compare", str(file), "resnet20_b"),
        ("convert", str(file), str(tmp_path / "own.safetensors")),
    ):
        done = cli(*arguments)
        assert done.code == 0, done.err
        assert told in done.err + done.out, arguments
    as_weights = cli("convert", str(file), str(tmp_path / "theirs.pth"), "--to", "timm")
    assert told in as_weights.err
    assert "timm has no network that computes as this one does" in as_weights.err
    warnings = plan(DataSpec("digits"), settings={"fine_tuning.weights": str(file)})[1].warnings
    assert f"weights: {told}" in warnings


def test_a_head_of_several_layers_is_told_and_replaced_in_training(cli: Cli, tmp_path: Path) -> None:
    network = create_model("resnet20_b", in_channels=1, num_classes=10).state_dict()
    head = {"fc.0.weight": torch.ones(9, 64), "fc.0.bias": torch.ones(9), "fc.3.weight": torch.ones(10, 9)}
    file = tmp_path / "mlp.pth"
    torch.save({**{n: t for n, t in network.items() if not n.startswith("fc.")}, **head}, file)
    assert "a head that no network here has (fc.0.weight" in cli("describe", str(file)).out
    Image.new("L", (8, 8), 200).save(tmp_path / "grey.png")
    refused = cli("predict", str(file), str(tmp_path / "grey.png"))
    assert refused.code == 4
    assert "the file's head has several layers (fc.0, fc.3)" in refused.err
    settings = {"fine_tuning.weights": str(file), "fine_tuning.reset_head": True}
    assert plan(DataSpec("digits"), settings=settings)[1].recipe.model_name == "resnet20_b"
    fitting = create_model("resnet20_b", in_channels=1, num_classes=3)
    load_weights(fitting, to_native(read_weights(file)).tensors, source="mlp.pth", reset_head=True)
    assert torch.equal(fitting.state_dict()["conv1.weight"], network["conv1.weight"])


def test_a_run_becomes_weights_that_others_read(cli: Cli, tmp_path: Path) -> None:
    network = create_model("resnet18", widths=(8, 8, 8, 8), num_classes=3)
    torch.save(network.state_dict(), tmp_path / "in.pth")
    for to, name in (("torchvision", "out.pth"), ("timm", "out.safetensors")):
        outcome = cli("convert", str(tmp_path / "in.pth"), str(tmp_path / name), "--to", to)
        assert outcome.code == 0, outcome.err
        images = torch.randn(1, 3, 32, 32)
        with torch.inference_mode():
            torch.testing.assert_close(open_network(tmp_path / name)(images), network.eval()(images))
    assert torch.load(tmp_path / "out.pth", weights_only=True).keys() == network.state_dict().keys()


def test_it_is_told_how_others_load_it_and_what_they_have_no_name_for(cli: Cli, tmp_path: Path) -> None:
    torch.save(create_model("resnet18", num_classes=3, in_channels=1).state_dict(), tmp_path / "in.pth")
    told = cli("convert", str(tmp_path / "in.pth"), str(tmp_path / "out.pth"), "--to", "timm")
    assert told.out.split("\n")[1:-1] == [
        "network = timm.create_model('resnet18', num_classes=3, in_chans=1)",
        f"network.load_state_dict(torch.load({str(tmp_path / 'out.pth')!r}, weights_only=True))",
    ]
    torch.save(create_model("resnet18", widths=(8, 8, 8, 8)).state_dict(), tmp_path / "small.pth")
    told = cli("convert", str(tmp_path / "small.pth"), str(tmp_path / "small.safetensors"), "--to", "timm")
    assert told.out == f"wrote {tmp_path / 'small.safetensors'}\n"
    assert "like its resnet18, where widths is [64, 128, 256, 512], not [8, 8, 8, 8]" in told.err


@pytest.mark.slow
def test_entry_reads_one_of_several_networks(cli: Cli, tmp_path: Path) -> None:
    file = str(tmp_path / "both.pt")
    networks = {name: create_model("resnet20_b", in_channels=1, num_classes=n) for name, n in (("a", 2), ("b", 10))}
    torch.save({name: network.state_dict() for name, network in networks.items()}, file)
    Image.new("L", (8, 8), 200).save(tmp_path / "grey.png")
    target = str(tmp_path / "b.safetensors")
    for arguments in (
        ("describe", file),
        ("evaluate", file, "digits"),
        ("predict", file, str(tmp_path / "grey.png")),
        ("convert", file, target),
    ):
        undecided = cli(*arguments)
        assert undecided.code == 4
        assert "holds several networks: 'a', 'b'" in undecided.err
        assert "name one of them with --entry" in undecided.err
        decided = cli(*arguments, "--entry", "b")
        assert decided.code == 0, decided.err
    assert open_network(target).spec.num_classes == 10
    assert "WEIGHTS" in cli("compare", file, target, "--entry", "b").out
    networks = {name: create_model("resnet18", widths=(8, 8, 8, 8), num_classes=n) for name, n in (("a", 2), ("b", 3))}
    torch.save({name: network.state_dict() for name, network in networks.items()}, file)
    assert cli("convert", file, str(tmp_path / "b.pth"), "--to", "torchvision", "--entry", "b").code == 0
    assert open_network(tmp_path / "b.pth").spec.num_classes == 3
    for arguments in (("describe", target), ("describe", "resnet18"), ("predict", target, "x.png")):
        assert cli(*arguments, "--entry", "b").code == 2


def test_a_converted_classifier_is_compared_with_its_source(cli: Cli, weights: Path, tmp_path: Path) -> None:
    content = torch.load(weights, weights_only=True)["state_dict"]
    bare = {name: tensor for name, tensor in content.items() if not name.endswith("num_batches_tracked")}
    torch.save(bare, tmp_path / "bare.th")
    target = tmp_path / "digits.safetensors"
    cli("convert", str(tmp_path / "bare.th"), str(target), "--class-names", "digits")
    out = cli("compare", str(tmp_path / "bare.th"), str(target)).out
    assert "The networks are the same" in out
    assert "WEIGHTS" in out
    assert "alone" not in out
    values = json.loads(cli("compare", str(tmp_path / "bare.th"), str(target), "--json").out)
    assert {part["largest"] for part in values["tensors"]["distances"]} == {0}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("x.pth", "y.safetensors"), "no run folder or file at x.pth"),
        (("IN", "y.pth"), "a classifier is a .safetensors file"),
        (("IN", "y.pth", "--to", "torchvision", "--class-names", "digits"), "hold no class names"),
        (("IN", "y.safetensors", "--preprocess", "mean"), "--preprocess needs path.to.field=value"),
        (("IN", "y.safetensors", "--preprocess", "maen=[0]"), "did you mean 'mean'"),
        (("IN", "y.safetensors", "--model", "resnet20"), "is not resnet20"),
        (("IN", "y.safetensors", "--class-names", "cifar100"), "has 10 classes, 100 names were given"),
    ],
)
def test_mistakes_leave_nothing_behind(
    cli: Cli, weights: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(weights.parent)
    before = sorted(weights.parent.iterdir())
    outcome = cli("convert", *(str(weights) if word == "IN" else word for word in arguments))
    assert outcome.code in (2, 4)
    assert says in outcome.err
    assert sorted(weights.parent.iterdir()) == before


def test_a_classifier_keeps_all_it_knows(cli: Cli, trained: Path, tmp_path: Path) -> None:
    """The images that it has met included."""
    assert cli("convert", str(trained), str(tmp_path / "copy.safetensors")).code == 0
    assert (tmp_path / "copy.safetensors").read_bytes() == (trained / "classifier.safetensors").read_bytes()
