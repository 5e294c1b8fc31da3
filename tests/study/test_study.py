"""Studies as data: what is shipped is sound; what is wrong in a file is said with its place and the nearest name."""

from pathlib import Path

import pytest

from resnetkit.errors import ResnetkitError
from resnetkit.study.checks import check_study
from resnetkit.study.reading_words import published_words
from resnetkit.study.shipped import list_studies, open_study, read_study
from resnetkit.study.study import Published, Study

MINE = """
name = "mine"
title = "Two networks"
question = "Which is better?"
source = "ours"
published_on = "CIFAR-10"

[[arms]]
name = "small"
model = "resnet20[join=dropout]"
settings.schedule.warmup_share = 0.2
published = {value = 6.61, spread = 0.16, num_runs = 5}

[[arms]]
name = "large"
model = "resnet56"
settings."optimizer.learning_rate" = 0.05
published.value = "fails"

[[claims]]
says = "small is better"
ascending = ["small", "large"]
size_ratio = 4

[budgets.smoke]
data = "digits"
recipe = "tiny_images"
settings.epochs = 1
networks = {resnet20 = "resnet32"}
"""


def read(tmp_path: Path, text: str = MINE) -> Study:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return read_study(file)


@pytest.mark.parametrize("name", list_studies())
def test_shipped_studies_are_sound(name: str) -> None:
    study = open_study(name)
    assert study.name == name
    assert "smoke" in study.budgets
    check_study(study)


def test_a_file_is_read_with_dotted_settings(tmp_path: Path) -> None:
    study = read(tmp_path)
    check_study(study)
    small, large = study.arms
    budget = study.budget("smoke")
    assert budget.network_of(small) == "resnet32[join=dropout]"
    assert budget.network_of(large) == "resnet56"
    assert budget.settings_of(small) == {
        "runtime.threads": 1,
        "epochs": 1,
        "schedule.warmup_share": 0.2,
    }
    assert [published_words(arm.published) for arm in study.arms] == ["6.61 ± 0.16 (5 runs)", "fails"]
    assert published_words(Published(0.7, reading="train_error")) == "training error 0.70"
    assert open_study(str(tmp_path / "mine.toml")) == study


def test_what_an_arm_sets_is_stronger_than_what_its_budget_does(tmp_path: Path) -> None:
    study = read(tmp_path, MINE.replace("settings.schedule.warmup_share = 0.2", "settings.epochs = 3"))
    assert [study.budget("smoke").settings_of(arm)["epochs"] for arm in study.arms] == [3, 1]


def test_variations_of_arm_and_budget_come_together(tmp_path: Path) -> None:
    study = read(tmp_path, MINE.replace('"resnet32"', '"resnet32[stem=7x7]"'))
    assert study.budget("smoke").network_of(study.arms[0]) == "resnet32[stem=7x7,join=dropout]"
    check_study(study)


def test_any_change_changes_the_digest(tmp_path: Path) -> None:
    digests = {
        read(tmp_path, MINE.replace(*change)).digest for change in [("", ""), ("0.2", "0.3"), ("Which is", "Which was")]
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title =", "titel =", ["mine.toml", "titel", "did you mean 'title'"]),
        ("published.value", "published.valu", ["mine.toml", "arms.1.published", "valu"]),
        ('"large"]', '"lage"]', ["claims.0.ascending", "lage", "did you mean 'large'"]),
        ('["small", "large"]', '["small"]', ["two arms or more"]),
        ('["small", "large"]', '["small", "small"]', ["names an arm twice"]),
        ('name = "large"', 'name = "small"', ["two arms are called 'small'"]),
        ('name = "large"', 'name = "../large"', ["name of a folder"]),
        ('"resnet56"', '"resnet57"', ["arm 'large'", "resnet57", "did you mean 'resnet56'"]),
        ('"tiny_images"', '"tiny_image"', ["budget 'smoke'", "tiny_image", "did you mean 'tiny_images'"]),
        ("settings.epochs", "settings.epoch", ["budget 'smoke'", "arm 'small'", "did you mean 'epochs'"]),
        ("settings.epochs = 1", "settings.epochs = 0", ["epochs must be at least 1"]),
        ("warmup_share", "warm_share", ["arm 'small'", "schedule.warm_share", "schedule.warmup_share"]),
        (
            "size_ratio = 4",
            "",
            ["budget 'smoke'", "'large' has 1.84 times the parameters of 'small'", "allows 1.05 times"],
        ),
        ("{resnet20 =", "{resnet21 =", ["budgets.smoke.networks", "resnet21", "did you mean 'resnet20'"]),
        ("settings.epochs", "settings.seed", ["a budget sets 'seed'", "num_seeds"]),
        ("settings.schedule.warmup_share", "settings.runtime.threads", ["the arm 'small' sets", "its threads"]),
        ("settings.schedule.warmup_share", "settings.data.max_train_images", ["the arm 'small' sets", "in the budget"]),
        ("size_ratio = 4", 'size_ratio = 4\nreading = "parameters"', ["is about parameters", "known before any run"]),
        ('published_on = "CIFAR-10"', "", ["'published_on' must say"]),
        ("[budgets.smoke]", "[budgets.smoke", ["no TOML"]),
        ('source = "ours"', "", ["'source' is missing"]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    assert old in MINE
    with pytest.raises(ResnetkitError) as told:
        check_study(read(tmp_path, MINE.replace(old, new)))
    for words in said:
        assert words in str(told.value)


def test_unknown_studies_and_budgets_have_a_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(ResnetkitError, match="did you mean 'degradation'"):
        open_study("degradaton")
    with pytest.raises(ResnetkitError, match="cannot read"):
        open_study(str(tmp_path / "none.toml"))
    with pytest.raises(ResnetkitError, match="did you mean 'smoke'"):
        read(tmp_path).budget("smok")
