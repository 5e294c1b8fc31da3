"""Files are kept and found as what they are, by checksum, name or tensors; what is not known is asked, not guessed."""

from pathlib import Path

import pytest
from tests.small_weights import MODEL, PREPARED, state_bytes

from resnetkit.classifier.file import read_description
from resnetkit.errors import ResnetkitError
from resnetkit.sources import weight_store
from resnetkit.sources.weight_list import list_weights
from resnetkit.sources.weight_store import find_at_hand, keep

PLAIN, ON_THE_HUB = "small.plain_in1k", "small.hub_in1k"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Path) -> Path:
    """A folder of the user's, named in the environment."""
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.setenv(weight_store.VARIABLE, f"{tmp_path / 'gone'}:{folder}")
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


def test_a_file_that_is_not_what_its_name_says_is_refused(
    tmp_path: Path, store: Path, small_table: dict[str, bytes]
) -> None:
    wrong = write(tmp_path / "small-1.safetensors", state_bytes(9))
    with pytest.raises(ResnetkitError, match="is not the file that somebody published") as raised:
        keep(wrong)
    assert "https://x.example" in raised.value.fix
    assert not store.exists()


def test_a_file_of_the_hub_fetched_by_hand_is_known_by_its_name(
    tmp_path: Path, store: Path, small_table: dict[str, bytes]
) -> None:
    kept, _ = keep(write(tmp_path / f"{ON_THE_HUB}.safetensors", state_bytes(1)))
    own = read_description(kept.path)
    assert (kept.name, own.preprocessing, own.provenance["published"]) == (ON_THE_HUB, PREPARED, ON_THE_HUB)


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


def test_files_in_a_folder_of_the_users_are_known_by_name(folder: Path, small_table: dict[str, bytes]) -> None:
    write(folder / "resnet18.safetensors", state_bytes())
    write(folder / "small-1.safetensors", state_bytes())
    write(folder / "notes.txt", b"")
    found = {weights.name: (weights.model, weights.top1) for weights in find_at_hand()}
    assert found == {"resnet18": ("resnet18", None), PLAIN: (MODEL, 0.7)}


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
    monkeypatch.setattr(weight_store, "_identify", lambda path: {"model": None, "problem": "anew"})
    file.write_bytes(state_bytes(3) + b" ")
    assert {weights.problem for weights in find_at_hand()} == {first.problem, "anew"}


def test_the_list_has_what_is_published_and_what_is_the_users_own(folder: Path, small_table: dict[str, bytes]) -> None:
    write(folder / "resnet18.safetensors", state_bytes())
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
