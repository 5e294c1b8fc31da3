"""Files are kept and found by their content or their place on the hub; what is not known is asked, not guessed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import save
from tests.fake_hub import FakeHub
from tests.small_weights import MODEL, PREPARED, state_bytes

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.file import read_description
from resnetkit.errors import ResnetkitError
from resnetkit.models.resnet import create_model
from resnetkit.sources import weight_store
from resnetkit.sources.weight_list import list_weights
from resnetkit.sources.weight_store import find_at_hand, keep

PLAIN, ON_THE_HUB = "small.plain_in1k", "small.hub_in1k"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Path) -> Path:
    """A folder of the user's, named in the environment."""
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.setenv(weight_store.VARIABLE, str(folder))
    return folder


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_file_is_known_by_its_checksum_whatever_its_name(
    tmp_path: Path, store: Path, small_table: dict[str, bytes]
) -> None:
    content = next(iter(small_table.values()))
    kept, is_new = keep(write(tmp_path / "renamed.bin", content))
    assert is_new
    assert (kept.name, kept.path) == (PLAIN, store / f"{PLAIN}.safetensors")
    assert read_description(kept.path).preprocessing == PREPARED
    assert keep(tmp_path / "renamed.bin") == (kept, False)
    assert [weights.name for weights in find_at_hand()] == [PLAIN]


@pytest.mark.parametrize("called", ["small-1.safetensors", f"{PLAIN}.safetensors", f"{PLAIN}.pth", f"{ON_THE_HUB}.npz"])
def test_a_file_that_is_not_what_its_name_says_is_refused(
    tmp_path: Path, store: Path, small_table: dict[str, bytes], called: str
) -> None:
    wrong = write(tmp_path / called, state_bytes(9))
    with pytest.raises(ResnetkitError, match="is not the file that its name says") as raised:
        keep(wrong)
    assert "not the file that somebody published as small" in raised.value.why
    assert "it again" in raised.value.fix
    assert not store.exists()
    assert keep(wrong, name="mine", model=MODEL)[0].published is None


def test_published_names_are_for_published_weights_alone(
    tmp_path: Path, folder: Path, small_table: dict[str, bytes], make: Callable[..., Classifier]
) -> None:
    make().save(tmp_path / "own.safetensors")
    with pytest.raises(ResnetkitError, match=f"{PLAIN} are published weights, and these are others"):
        keep(tmp_path / "own.safetensors", name=PLAIN)
    make().save(folder / f"{PLAIN}.safetensors")
    (found,) = find_at_hand()
    assert (found.name, found.published, found.problem) == (f"{PLAIN}.safetensors", None, "")
    rows = {row.name: row.here for row in list_weights()}
    assert rows == {f"{PLAIN}.safetensors": found, PLAIN: None, ON_THE_HUB: None}


def test_a_file_of_the_hub_fetched_by_hand_is_taken_by_its_name_which_is_said(
    tmp_path: Path, store: Path, small_table: dict[str, bytes]
) -> None:
    kept, _ = keep(write(tmp_path / f"{ON_THE_HUB}.safetensors", state_bytes(1)))
    own = read_description(kept.path)
    assert (kept.name, own.preprocessing, own.provenance["published"]) == (ON_THE_HUB, PREPARED, ON_THE_HUB)
    assert "no checksum of it is known" in kept.provenance["checked"]


def test_weights_of_the_hub_are_known_by_where_they_are(
    fake_hub: FakeHub, store: Path, small_table: dict[str, bytes]
) -> None:
    fake_hub.repositories |= {
        "somebody/small": {"model.safetensors": state_bytes(1)},
        "somebody/other.net": {"model.safetensors": state_bytes(2)},
    }
    kept, _ = keep("hf://somebody/small")
    assert (kept.name, kept.preprocessing, kept.provenance["origin"]) == (ON_THE_HUB, PREPARED, "somebody")
    kept, _ = keep("hf://somebody/other.net", model=MODEL)
    assert (kept.name, kept.published) == ("other.net", None)


def test_another_run_of_the_same_name_is_other_weights(
    tmp_path: Path, store: Path, make: Callable[..., Classifier]
) -> None:
    first = make()
    first.save(tmp_path / "cats.safetensors")
    kept, is_new = keep(tmp_path / "cats.safetensors")
    assert is_new
    assert keep(tmp_path / "cats.safetensors") == (kept, False)
    with_another_head = make()
    with_another_head.network.fc.bias.data += 1
    for other in (with_another_head, replace(first, class_names=("a", "b", "c"))):
        other.save(tmp_path / "cats.safetensors")
        with pytest.raises(ResnetkitError, match="other weights are kept as 'cats'") as raised:
            keep(tmp_path / "cats.safetensors")
        assert f"remove {store / 'cats.safetensors'}" in raised.value.fix
    (store / "cats.safetensors").write_bytes(first.to_bytes()[:-10])
    with pytest.raises(ResnetkitError, match="or it cannot be read"):
        keep(tmp_path / "cats.safetensors")


def test_what_is_said_of_a_file_stays_with_it(tmp_path: Path, store: Path) -> None:
    file = write(tmp_path / "mine.safetensors", state_bytes())
    kept, _ = keep(file, name="cats", model=MODEL, preprocessing={"mean": (0.3, 0.2, 0.1)})
    own = read_description(kept.path)
    assert (own.preprocessing.mean, own.provenance["model"], kept.name) == ((0.3, 0.2, 0.1), MODEL, "cats")
    with pytest.raises(ResnetkitError, match="other weights are kept as 'cats'"):
        keep(file, name="cats", model=MODEL)
    for name in ("../x", "", ".x", "a/b"):
        with pytest.raises(ResnetkitError, match="cannot be called"):
            keep(file, name=name or " ", model=MODEL)


@pytest.mark.parametrize(
    ("name", "problem"),
    [("cut", "damaged"), ("page", "web page"), ("headless", "have no head")],
)
def test_what_cannot_be_kept_is_refused(tmp_path: Path, store: Path, name: str, problem: str) -> None:
    content = {
        "cut": state_bytes()[:-100],
        "page": b"<!DOCTYPE html><html>please log in</html>",
        "headless": state_bytes(num_classes=None),
    }[name]
    file = write(tmp_path / "file.safetensors", content)
    with pytest.raises(ResnetkitError) as raised:
        keep(file)
    assert problem in f"{raised.value.what} {raised.value.why}"
    assert not store.exists()


def test_files_in_a_folder_of_the_users_are_known_by_content_and_not_by_name(
    folder: Path, small_table: dict[str, bytes]
) -> None:
    write(folder / "resnet34.safetensors", next(iter(small_table.values())))  # which it is not
    v1 = create_model("resnet50_v1[depths=[1,1,1,1],widths=[2,2,2,2]]", num_classes=3)
    write(folder / "resnet50.safetensors", save(v1.state_dict()))
    write(folder / "resnet18.safetensors", state_bytes(3))
    write(folder / "small-1.safetensors", state_bytes(4))
    write(folder / f"{ON_THE_HUB}.safetensors", small_table["hf://somebody/small/model.safetensors"])
    write(folder / "notes.txt", b"")
    usable, *others = find_at_hand()
    assert (usable.name, usable.model, usable.top1, usable.preprocessing) == (PLAIN, MODEL, 0.7, PREPARED)
    problems = {weights.path.name: weights.problem for weights in others}
    assert list(problems) == [
        "resnet18.safetensors",
        "resnet50.safetensors",
        "small-1.safetensors",
        f"{ON_THE_HUB}.safetensors",
    ]
    assert "not known where it is from, nor how its images are prepared" in problems["resnet18.safetensors"]
    assert "with the same tensors" in problems["resnet50.safetensors"]
    assert "resnet50_v1[" in problems["resnet50.safetensors"]
    assert "not the file that somebody published" in problems["small-1.safetensors"]
    assert "no checksum is known" in problems[f"{ON_THE_HUB}.safetensors"]


def test_a_file_says_itself_what_it_is_where_its_description_lies_beside_it(folder: Path) -> None:
    write(folder / "model.safetensors", save(create_model("resnet14t", num_classes=3).state_dict()))
    config = (
        '{"architecture": "resnet14t", "pretrained_cfg": {"input_size": [3, 176, 176], "crop_pct": 0.875, '
        '"interpolation": "bicubic", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1]}}'
    )
    (folder / "config.json").write_text(config)
    for _ in range(2):  # read, then remembered
        (found,) = find_at_hand()
        assert (found.name, found.model, found.problem, found.image_size_px) == ("model", "resnet14t", "", 176)
        assert found.spec is not None
        assert found.spec.num_classes == 3


def test_a_broken_file_hides_no_good_one_and_is_told_of(
    folder: Path, store: Path, tmp_path: Path, make: Callable[..., Classifier]
) -> None:
    good = make()
    good.save(tmp_path / "cats.safetensors")
    kept, _ = keep(tmp_path / "cats.safetensors")
    broken = write(folder / "cats.safetensors", good.to_bytes()[:-10])
    first, second = find_at_hand()
    assert first == kept
    assert (second.path, second.name, bool(second.problem)) == (broken, "cats", True)
    assert [row.as_words()[-1] for row in list_weights("cats")] == [str(kept.path), f"{broken}: {second.problem}"]


def test_folders_and_files_that_cannot_be_read_are_told_of(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "file.pth", b"")
    monkeypatch.setenv(weight_store.VARIABLE, f"{tmp_path / 'gone'}:{folder}")

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(weight_store, "find_by_content", refuse)
    assert [(weights.path.name, weights.problem) for weights in find_at_hand()] == [
        ("gone", "the folder cannot be searched: No such file or directory"),
        ("file.pth", "the file cannot be read: Permission denied"),
    ]
    assert len(list_weights(only_here=True)) == 2
    assert all(row.as_values()["problem"] for row in list_weights(only_here=True))


def test_a_file_of_another_name_is_read_once(
    folder: Path, small_table: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(folder / "whatever.safetensors", next(iter(small_table.values())))
    write(folder / "junk.pth", b"junk")
    (first, second) = sorted(find_at_hand(), key=lambda weights: weights.path)
    assert "like no kind of weight file" in first.problem
    assert (second.name, second.model) == (PLAIN, MODEL)
    monkeypatch.setattr(weight_store, "_identify", lambda path: pytest.fail(f"{path} was read again"))
    assert [weights.problem for weights in sorted(find_at_hand(), key=lambda w: w.path)] == [first.problem, ""]
    monkeypatch.setattr(weight_store, "_identify", lambda path: {"problem": "anew"})
    file.write_bytes(state_bytes(3) + b" ")
    assert {weights.problem for weights in find_at_hand()} == {first.problem, "anew"}
    (weight_store.store_folder() / "identified.json").write_text(json.dumps({str(file): []}))
    assert [weights.problem for weights in find_at_hand()] == ["anew", "anew"]


def test_the_list_has_what_is_published_and_what_is_the_users_own(folder: Path, small_table: dict[str, bytes]) -> None:
    write(folder / "resnet18.safetensors", state_bytes(3))
    rows = {row.name: row.as_values() for row in list_weights()}
    assert list(rows) == ["resnet18", PLAIN, ON_THE_HUB]
    assert rows["resnet18"]["here"] == str(folder / "resnet18.safetensors")
    assert (rows[PLAIN]["bytes"], rows[ON_THE_HUB]["bytes"], rows[ON_THE_HUB]["here"]) == (
        len(state_bytes()),
        None,
        None,
    )
    assert rows[PLAIN]["files"][0]["digest"].startswith("sha256:")
    assert [row.name for row in list_weights(only_here=True)] == ["resnet18"]
    assert [row.name for row in list_weights("*hub*")] == [ON_THE_HUB]
    with pytest.raises(ResnetkitError, match="no weights match 'smal-hub'"):
        list_weights("smal-hub")
