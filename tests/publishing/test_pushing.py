"""Runs pushed to a hub on loopback, and read again from there; nothing else is ever contacted."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import import_torchvision
from tests.fake_hub import FakeHub
from tests.publishing.conftest import with_network

import resnetkit
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.spec import Preprocessing
from resnetkit.runs.folder import RunFolder
from resnetkit.sources.weights import open_classifier

GREY = Preprocessing(40, 48, 1, (0.4,), (0.2,), "bicubic")


def import_timm() -> Any:
    if import_torchvision() is None:
        pytest.skip("timm needs torchvision")
    return pytest.importorskip("timm")


def test_what_was_pushed_answers_the_same(run: RunFolder, fake_hub: FakeHub, token: str) -> None:
    pushed = resnetkit.push(run.path, "hf://me/digits", license="mit")
    files = fake_hub.repositories["me/digits"]
    assert set(files) == {".gitattributes", "README.md", "classifier.safetensors"}
    assert files["classifier.safetensors"] == run.classifier_file.read_bytes()
    assert pushed.num_bytes == {name: len(files[name]) for name in ("README.md", "classifier.safetensors")}
    assert pushed.to == f"{fake_hub.address}/me/digits"
    assert fake_hub.commits[0]["message"].startswith("Push 0007-resnet20_b-digits with resnetkit ")
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    there, here = (
        resnetkit.open_predictor(source, engine="torch").predict([image]) for source in ("hf://me/digits", run.path)
    )
    assert there[0].top == here[0].top
    assert "me/digits" not in fake_hub.private


@pytest.mark.parametrize("name", ["resnet14t", "resnetv2_18"])
def test_timm_reads_what_was_pushed_of_its_networks(name: str, run: RunFolder, fake_hub: FakeHub, token: str) -> None:
    timm = import_timm()
    classifier = with_network(run, name, GREY)
    pushed = resnetkit.push(run.path, "hf://me/grey")
    is_renamed = name == "resnetv2_18"
    assert ("classifier.safetensors" in pushed.num_bytes) == is_renamed, "one file where the names are the same"
    theirs = timm.create_model("hf-hub:me/grey", pretrained=True).eval()
    images = torch.randn(2, 1, 40, 40)
    with torch.inference_mode():
        assert torch.allclose(theirs(images), classifier.network(images), atol=1e-5)
    settings = timm.data.resolve_model_data_config(theirs)
    assert settings["input_size"] == (1, 40, 40)
    assert (*settings["mean"], *settings["std"], settings["interpolation"]) == (0.4, 0.2, "bicubic")
    assert int(40 / settings["crop_pct"]) == 48
    assert tuple(theirs.pretrained_cfg["label_names"]) == classifier.class_names
    other = timm.create_model("hf-hub:me/grey", pretrained=True, num_classes=4, in_chans=2)
    assert other(torch.randn(2, 2, 40, 40)).shape == (2, 4), "for others to train on"
    ours = open_classifier("hf://me/grey")
    assert ours.preprocessing == GREY
    assert ours.class_names == classifier.class_names
    assert 'timm.create_model("hf-hub:me/grey"' in fake_hub.repositories["me/grey"]["README.md"].decode()


def test_what_timm_cannot_say_is_not_said_to_it(run: RunFolder, tmp_path: Path) -> None:
    with_network(run, "resnet14t", Preprocessing(40, 48, channel_order="bgr"))
    pushed = resnetkit.push(run.path, "hf://me/grey", dry_run=tmp_path / "out")
    assert set(pushed.num_bytes) == {"README.md", "classifier.safetensors"}
    assert any("blue first" in note for note in pushed.notes)


def test_a_dry_run_writes_the_same_files_and_asks_nobody(run: RunFolder, fake_hub: FakeHub, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pushed = resnetkit.push(run.path, "hf://me/digits", dry_run=out)
    assert pushed.to == str(out)
    assert {path.name: path.stat().st_size for path in out.iterdir()} == pushed.num_bytes
    assert not fake_hub.requests
    assert open_classifier(out).class_names == tuple("0123456789")
    with pytest.raises(ResnetkitError, match="exists already"):
        resnetkit.push(run.path, "hf://me/digits", dry_run=out)
    with pytest.raises(ResnetkitError, match="overwrites nothing on the hub"):
        resnetkit.push(run.path, "hf://me/digits", dry_run=tmp_path / "other", private=True)


def test_something_else_is_overwritten_only_where_that_is_asked_for(
    run: RunFolder, fake_hub: FakeHub, token: str
) -> None:
    old = {"README.md": b"mine", "config.json": b"{}", "notes.txt": b"n", ".gitattributes": b""}
    fake_hub.repositories["me/digits"] = dict(old)
    with pytest.raises(ResnetkitError, match="holds something else") as raised:
        resnetkit.push(run.path, "hf://me/digits")
    assert raised.value.why == "'README.md', 'config.json', 'notes.txt'"
    assert fake_hub.repositories["me/digits"] == old
    pushed = resnetkit.push(run.path, "hf://me/digits", overwrite=True)
    files = fake_hub.repositories["me/digits"]
    assert set(files) == {".gitattributes", "README.md", "classifier.safetensors", "notes.txt"}, "no stale config.json"
    assert files["README.md"] != b"mine"
    assert any("'notes.txt' of others" in note for note in pushed.notes)
    again = resnetkit.push(run.path, "hf://me/digits", overwrite=True)
    assert any("were there already" in note for note in again.notes)
    assert len(fake_hub.commits) == 1


def test_the_same_run_is_pushed_again_without_a_commit(run: RunFolder, fake_hub: FakeHub, token: str) -> None:
    resnetkit.push(run.path, "hf://me/digits")
    again = resnetkit.push(run.path, "hf://me/digits")
    assert any("were there already" in note for note in again.notes)
    assert len(fake_hub.commits) == 1


def test_private_is_private_from_the_beginning_or_refused(run: RunFolder, fake_hub: FakeHub, token: str) -> None:
    resnetkit.push(run.path, "hf://me/secret", private=True)
    assert fake_hub.private == {"me/secret"}
    fake_hub.repositories["me/open"] = {}
    with pytest.raises(ResnetkitError, match="is public already"):
        resnetkit.push(run.path, "hf://me/open", private=True)
    assert fake_hub.repositories["me/open"] == {}


def test_somebody_elses_push_in_between_is_not_overwritten(
    run: RunFolder, fake_hub: FakeHub, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub.repositories["me/digits"] = {}
    take = fake_hub.take

    def meanwhile(path: str, body: bytes) -> Any:
        if path.endswith("/commit/main") and not fake_hub.commits:
            fake_hub.commits.append({"repo": "me/digits", "message": "theirs", "lines": []})
        return take(path, body)

    monkeypatch.setattr(fake_hub, "take", meanwhile)
    with pytest.raises(ResnetkitError, match="could not be written"):
        resnetkit.push(run.path, "hf://me/digits")
    assert fake_hub.repositories["me/digits"] == {}


def test_without_a_token_or_with_a_wrong_one_nothing_is_written_and_no_token_is_shown(
    run: RunFolder, fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ResnetkitError, match="needs a token") as raised:
        resnetkit.push(run.path, "hf://me/digits")
    assert raised.value.fix == "hf auth login, or set HF_TOKEN"
    assert not fake_hub.requests
    monkeypatch.setenv("HF_TOKEN", "hf_AnotherOne")
    with pytest.raises(ResnetkitError, match="could not be written") as raised:
        resnetkit.push(run.path, "hf://me/digits")
    assert raised.value.code is Code.IO
    assert "hf_AnotherOne" not in str(raised.value)
    assert not fake_hub.repositories


def test_a_token_in_the_words_of_an_error_is_left_out(token: str) -> None:
    from resnetkit.sources.hub import hub_errors

    with pytest.raises(ResnetkitError) as raised, hub_errors("it failed", ""):
        raise OSError(f"refused: Bearer {token}")
    assert raised.value.why == "OSError: refused: Bearer …"


@pytest.mark.parametrize("to", ["me/digits", "hf://digits", "hf://me/digits@v1", "hf://me/digits/file"])
def test_what_is_no_name_to_push_to_is_refused(to: str, run: RunFolder, fake_hub: FakeHub) -> None:
    with pytest.raises(ResnetkitError, match="is no name to push to"):
        resnetkit.push(run.path, to)
    assert not fake_hub.requests


def test_only_a_finished_run_is_pushed(run: RunFolder, tmp_path: Path, fake_hub: FakeHub, token: str) -> None:
    with pytest.raises(ResnetkitError, match="is no run folder"):
        resnetkit.push(run.classifier_file, "hf://me/digits")
    events = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    run.metrics_file.write_text("".join(json.dumps(one) + "\n" for one in events if one["event"] != "end"))
    with pytest.raises(ResnetkitError, match="has not finished"):
        resnetkit.push(run.path, "hf://me/digits")
    assert not fake_hub.requests


def test_without_the_client_the_extra_is_named(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ResnetkitError, match="hf://me/digits needs huggingface_hub"):
        resnetkit.push(run.path, "hf://me/digits")
