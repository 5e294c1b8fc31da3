"""What users of other tools type first is answered with what does it here, and the table of that is true."""

import shlex
from collections.abc import Callable

import pytest
import typer

from resnetkit.cli.app import app
from resnetkit.cli.foreign import FOREIGN, ours
from resnetkit.config import override, parse_settings
from resnetkit.errors import MOST_CHOICES, did_you_mean
from resnetkit.recipes.recipe import Recipe
from resnetkit.training.planning import plan

Cli = Callable[..., tuple[int, str, str]]
GROUP = typer.main.get_command(app).commands  # type: ignore[attr-defined]
ROWS = [(name, command) for names, by_command in FOREIGN for command in by_command for name in names.split()]


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return plan("digits")[1].recipe


def options_of(command: str) -> set[str]:
    return {option for parameter in GROUP[command].params for option in parameter.opts}


@pytest.mark.parametrize(("name", "command"), ROWS)
def test_the_table_names_what_there_is(name: str, command: str, recipe: Recipe) -> None:
    assert not {f"--{name}", f"-{name}"} & (options_of(command) if len(name) > 1 else set()), "it is an option of ours"
    words = shlex.split(ours(name, command))
    if words[0] == "resnetkit":
        assert words[1] == command
    else:
        assert words[0] in options_of(command)
    if words[0] == "--set":
        override(recipe, parse_settings([word for word in words if word != "--set"]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "digits", "--lr", "0.3"], "--set optimizer.learning_rate=0.3"),
        (["train", "digits", "--batch-size=64"], "--set batch_size=64"),
        (["train", "digits", "--imgsz", "32"], "--set preprocessing.image_size_px=32"),
        (["train", "--data", "photos"], "resnetkit train photos"),
        (["train", "digits", "--pretrained"], "--weights"),
        (["train", "digits", "--workers", "\x1b[2J"], "--set data.num_workers=4"),
        (["train", "digits", "--epoch", "3"], "did you mean '--epochs'?"),
        (["train", "digits", "--set", "lr=0.1"], "--set optimizer.learning_rate=0.1"),
        (["describe", "resnet20", "--set", "lr=0.1"], "unknown field 'lr'\n  fix: choose one of: block"),
        (["describe", "resnet20", "--set", "nc=3"], "--classes 3"),
        (["train", "digits", "--set", "bogus=0.1"], "choose one of: name, model_name"),
        (["train", "digits", "--weights", "resnet18"], "hf://timm/"),
        (["train", "digits", "--weights", "IMAGENET1K_V1"], "hf://timm/"),
        (["predict", "x", "y", "--imgs", "3"], "choose one of: --top"),
        (["describe", "vgg"], "the nearest are"),
    ],
)
def test_what_others_call_it_is_answered_with_ours(cli: Cli, arguments: list[str], words: str) -> None:
    code, _, err = cli(*arguments)
    assert words in err
    assert code in (2, 4)
    assert "\x1b" not in err


def test_long_lists_give_the_nearest_and_short_ones_all() -> None:
    assert did_you_mean("qqq", "abc") == "choose one of: a, b, c"
    assert "the nearest are" in did_you_mean("qqq", map(str, range(MOST_CHOICES + 1)))
