"""Published weights come from where they are, whole and right, or not at all, with what to do then."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.file_server import FileServer
from tests.small_weights import MODEL, PREPARED, state_bytes

from resnetkit.classifier.classifier import load_classifier
from resnetkit.classifier.file import read_description
from resnetkit.errors import Code, ResnetkitError
from resnetkit.sources import fetching, weight_store
from resnetkit.sources.fetching import fetch_published

MIRRORED = "small-1.safetensors"
ON_THE_HUB = "somebody/small/resolve/main/model.safetensors"


@pytest.fixture
def server(
    file_server: FileServer, store: Path, small_table: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> FileServer:
    """A mirror that is a hub too."""
    plain, of_hub = small_table.values()
    file_server.files |= {MIRRORED: plain, ON_THE_HUB: of_hub}
    monkeypatch.setenv("HF_ENDPOINT", file_server.address)
    real = fetching.web_address
    monkeypatch.setattr(fetching, "web_address", lambda file: real(file).replace("https://x.example", "file:///gone"))
    return file_server


def test_weights_are_kept_with_their_origin_and_preprocessing(server: FileServer, store: Path) -> None:
    kept, is_new = fetch_published("small.plain_in1k", mirror=server.address)
    assert is_new
    assert (kept.name, kept.model, kept.top1, kept.image_size_px) == ("small.plain_in1k", MODEL, 0.7, 96)
    own = load_classifier(kept.path)
    assert own.preprocessing == PREPARED
    assert own.provenance["published_top1"] == 0.7
    assert "SHA-256" in own.provenance["checked"]
    assert own.network.spec.num_classes == 7
    assert [path.name for path in store.iterdir() if path.is_file()] == ["small.plain_in1k.safetensors"]
    assert not list((store / "downloads").iterdir())
    server.requests.clear()
    assert fetch_published("small.plain_in1k") == (kept, False)
    assert not server.requests


def test_a_file_with_another_checksum_is_refused(server: FileServer, store: Path) -> None:
    server.files[MIRRORED] = state_bytes(5)
    with pytest.raises(ResnetkitError, match="cannot be downloaded here") as raised:
        fetch_published("small.plain_in1k", mirror=server.address)
    assert "wrong hash" in raised.value.why
    assert not list(store.glob("*.safetensors"))


def test_a_file_of_the_hub_is_checked_by_what_the_hub_states(server: FileServer, store: Path) -> None:
    content = server.files[ON_THE_HUB]
    server.files["blob"] = content
    server.linked[ON_THE_HUB] = ("blob", hashlib.sha256(content).hexdigest())
    kept, _ = fetch_published("small.hub_in1k")
    assert read_description(kept.path).provenance["checked"] == fetching.STATED_BY_THE_SERVER
    kept.path.unlink()
    server.files["blob"] = content[:-4] + b"oops"
    with pytest.raises(ResnetkitError, match="cannot be downloaded"):
        fetch_published("small.hub_in1k")


@pytest.mark.parametrize("content", [b"no weights at all", state_bytes(depths=(1, 1, 1, 1))], ids=["junk", "other"])
def test_what_is_known_by_no_checksum_must_have_the_networks_tensors(server: FileServer, content: bytes) -> None:
    kept, _ = fetch_published("small.hub_in1k")
    assert read_description(kept.path).provenance["checked"] == fetching.BY_ITS_TENSORS
    kept.path.unlink()
    server.files[ON_THE_HUB] = content
    with pytest.raises(ResnetkitError, match="cannot be downloaded") as raised:
        fetch_published("small.hub_in1k")
    assert "what came is not the file" in raised.value.why


def test_what_lies_in_a_folder_of_the_users_is_at_hand(
    server: FileServer, tmp_path: Path, small_table: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    file = tmp_path / "mine" / "whatever.safetensors"
    file.write_bytes(next(iter(small_table.values())))
    monkeypatch.setenv(weight_store.VARIABLE, str(tmp_path / "mine"))
    kept, is_new = fetch_published("small.plain_in1k")
    assert (kept.path, is_new, kept.preprocessing) == (file, False, PREPARED)
    assert not server.requests


def test_what_one_server_states_is_not_said_of_what_came_from_another(server: FileServer) -> None:
    mirrored = "small.hub_in1k.safetensors"
    server.files[mirrored], server.tags[mirrored] = server.files[ON_THE_HUB], "0" * 64
    kept, _ = fetch_published("small.hub_in1k", mirror=server.address)
    assert [name for name, _ in server.requests] == [mirrored, ON_THE_HUB]
    assert read_description(kept.path).provenance["checked"] == fetching.BY_ITS_TENSORS


def test_of_several_that_want_the_same_one_fetches_and_the_others_wait(server: FileServer) -> None:
    server.trickle_seconds = 0.002  # long enough for all to have begun
    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(fetch_published, ["small.hub_in1k"] * 3))
    assert len({kept.path for kept, _ in outcomes}) == 1
    assert sorted(is_new for _, is_new in outcomes) == [False, False, True]
    assert [name for name, _ in server.requests] == [ON_THE_HUB]


def test_who_waits_for_another_process_is_told(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    told, waiting = list[str](), threading.Event()

    def tell(text: str) -> None:
        told.append(text)
        waiting.set()

    monkeypatch.setattr(weight_store, "tell", tell)
    with ThreadPoolExecutor(1) as pool:
        with weight_store.store_locked():
            fetched = pool.submit(fetch_published, "small.hub_in1k")
            assert waiting.wait(60)
            assert not server.requests
        assert fetched.result()[1]
    assert told[0].startswith("waiting for another process")


def test_what_to_do_by_hand_is_said(server: FileServer) -> None:
    del server.files[ON_THE_HUB]
    with pytest.raises(ResnetkitError, match="cannot be downloaded here") as raised:
        fetch_published("small.hub_in1k")
    assert raised.value.code == Code.IO
    assert "the server answered 404" in raised.value.why
    for said in (f"{server.address}{ON_THE_HUB} (as small.hub_in1k.safetensors)", "weights import"):
        assert said in raised.value.fix
    assert "RESNETKIT_WEIGHTS" not in raised.value.fix, "there it would not be known, for want of a checksum"
    with pytest.raises(ResnetkitError, match="cannot be downloaded here") as raised:
        fetch_published("small.plain_in1k")
    assert "RESNETKIT_WEIGHTS" in raised.value.fix


def test_a_full_disk_is_one_error_and_leaves_no_weights(
    server: FileServer, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("resnetkit.files.os.fsync", full)
    with pytest.raises(ResnetkitError) as raised:
        fetch_published("small.plain_in1k", mirror=server.address)
    assert raised.value.code == Code.IO
    assert "free some disk space" in raised.value.fix
    assert not list(store.glob("*.safetensors"))
