"""What a text names, asked in one place."""

import os
import shutil
from pathlib import Path

import pytest
from safetensors.torch import save_file
from tests.fake_hub import REVISION, FakeHub

from resnetkit.classifier.classifier import Classifier
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.spec import Preprocessing
from resnetkit.models.resnet import create_model
from resnetkit.runs.repeats import Repeats, write_repeats
from resnetkit.sources.locate import locate, locate_weights


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = create_model("resnet20", depths=(1,), widths=(16,), strides=(1,), num_classes=2)
    file = tmp_path_factory.mktemp("own") / "own.safetensors"
    Classifier(network, Preprocessing(8, 8), ("a", "b"), {"data": "x"}).save(file)
    return file


def test_a_classifier_comes_with_what_was_read_to_know_it(classifier: Path) -> None:
    located = locate(str(classifier))
    assert (located.kind, located.path, located.file, located.is_own) == ("classifier", classifier, classifier, True)
    assert located.description is not None
    assert located.description.class_names == ("a", "b")
    assert locate(located) is located is locate_weights(located)


def test_a_run_is_its_folder_and_has_a_file_once_it_has_finished(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    unfinished = locate(tmp_path)
    assert (unfinished.kind, unfinished.path, unfinished.description) == ("run", tmp_path, None)
    with pytest.raises(ResnetkitError, match=r"no classifier.safetensors") as raised:
        _ = unfinished.file
    assert raised.value.why == "the run has not finished"
    shutil.copy(classifier, tmp_path / "classifier.safetensors")
    finished = locate(tmp_path)
    assert finished.file == tmp_path / "classifier.safetensors"
    assert finished.description == locate(classifier).description


def test_other_folders_are_read_as_the_hub_keeps_them(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ResnetkitError, match="no classifier or weight file in"):
        locate(tmp_path)
    save_file(create_model("resnet20").state_dict(), tmp_path / "model.safetensors")
    assert (locate(tmp_path).kind, locate(tmp_path).path) == ("weights", tmp_path / "model.safetensors")
    shutil.copy(classifier, tmp_path / "classifier.safetensors")
    assert locate(tmp_path).kind == "classifier"


def test_a_name_on_the_hub_is_what_its_file_is(classifier: Path, fake_hub: FakeHub) -> None:
    fake_hub.repositories["me/own"] = {"classifier.safetensors": classifier.read_bytes()}
    located = locate("hf://me/own")
    assert located.kind == "classifier"
    assert located.fetched is not None
    assert (located.fetched.repo, located.fetched.revision, located.text) == ("me/own", REVISION, "hf://me/own")


def test_what_is_there_comes_before_a_network_of_that_name(classifier: Path, empty_folder: Path) -> None:
    named = locate("resnet20[classes=7]")
    assert (named.kind, named.path) == ("network", None)
    assert named.entry is not None
    assert named.entry.spec.num_classes == 7
    shutil.copy(classifier, empty_folder / "resnet20")
    assert locate("resnet20").kind == "classifier"


@pytest.mark.parametrize("text", ["default", "ResNet18_Weights.DEFAULT", "IMAGENET1K_V1", "resnet18[classes=7]"])
def test_words_for_published_weights_are_answered_with_where_they_are(text: str) -> None:
    with pytest.raises(ResnetkitError, match="no run folder or file at") as raised:
        locate_weights(text)
    assert "hf://timm/resnet18.a1_in1k" in raised.value.fix
    assert raised.value.code is Code.WEIGHTS


def test_a_network_is_named_as_the_nearest_only_where_one_will_do(classifier: Path, empty_folder: Path) -> None:
    with pytest.raises(ResnetkitError) as raised:
        locate("resnet20.h5")
    assert raised.value.fix == "did you mean resnet20?"
    with pytest.raises(ResnetkitError) as raised:
        locate_weights("resnet5")
    assert "did you mean" not in raised.value.fix
    shutil.copy(classifier, empty_folder / "resnet55")
    with pytest.raises(ResnetkitError) as raised:
        locate_weights("resnet5")
    assert raised.value.fix == "did you mean resnet55?"


@pytest.mark.parametrize(
    "text", ["", "a\0b", "a" * 5000, "[" * 300, "~no_such_user/x", "/dev/null", "resnet20[\x1b[2J=1]"]
)
def test_no_text_is_a_bug(text: str, empty_folder: Path) -> None:
    for find in (locate, locate_weights):
        with pytest.raises(ResnetkitError):
            find(text)


def test_a_folder_that_may_not_be_looked_into_is_nothing(empty_folder: Path) -> None:
    (empty_folder / "closed").mkdir(mode=0)
    with pytest.raises(ResnetkitError):
        locate(os.path.join("closed", "run"))


def test_a_folder_of_repeats_says_which_of_its_runs_to_give(tmp_path: Path) -> None:
    write_repeats(tmp_path, Repeats(by="seeds", runs=("0001-a", "0002-a")))
    with pytest.raises(ResnetkitError, match="2 repeats") as raised:
        locate(tmp_path)
    assert raised.value.fix == f"give one of them: {tmp_path / '0001-a'}"
