"""Downloads that go on where they were end as what the server has now, or not at all; data sets: test_datasets.py."""

import hashlib
from pathlib import Path

import pytest
from tests.file_server import FileServer

from resnetkit.data.download import DownloadFailed, fetch_file

CONTENT = bytes(range(256)) * 20


def is_content(path: Path, _: str | None) -> bool:
    return path.read_bytes() == CONTENT


def refused(server: FileServer, target: Path, **options: float) -> DownloadFailed:
    with pytest.raises(DownloadFailed) as raised:
        fetch_file([f"{server.address}file"], target, is_content, **options)
    assert not target.exists()
    return raised.value


def begin(server: FileServer, target: Path) -> None:
    """A download that was killed after 1,000 bytes."""
    target.with_name(f"{target.name}.part").write_bytes(CONTENT[:1_000])
    target.with_name(f"{target.name}.part.etag").write_text('"first"')
    server.files["file"], server.tags["file"] = CONTENT, "first"


def test_what_was_begun_goes_on_where_the_server_has_the_same(tmp_path: Path, file_server: FileServer) -> None:
    begin(file_server, tmp_path / "file")
    fetch_file([f"{file_server.address}file"], tmp_path / "file", is_content)
    assert file_server.requests == [("file", "bytes=1000-")]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_was_begun_of_another_version_is_begun_again(tmp_path: Path, file_server: FileServer) -> None:
    begin(file_server, tmp_path / "file")
    file_server.tags["file"] = "second"
    # Accepted whatever it is: only the tag tells that two halves of two files would not be one.
    fetch_file([f"{file_server.address}file"], tmp_path / "file", lambda path, stated: True)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert file_server.requests == [("file", "bytes=1000-"), ("file", None)]


def test_a_web_page_is_no_file_and_costs_nothing_of_what_is_there(tmp_path: Path, file_server: FileServer) -> None:
    begin(file_server, tmp_path / "file")
    file_server.types["file"] = "text/html; charset=utf-8"
    failure = refused(file_server, tmp_path / "file")
    assert "web page" in failure.reasons[0]
    assert failure.num_bytes == 1_000


def test_a_download_ends_by_its_deadline_and_keeps_what_came(tmp_path: Path, file_server: FileServer) -> None:
    file_server.files["file"], file_server.trickle_seconds = CONTENT, 0.03
    failure = refused(file_server, tmp_path / "file", deadline_seconds=0.05)
    assert "not done by the deadline" in failure.reasons[0]
    assert 0 < failure.num_bytes < len(CONTENT)
    file_server.trickle_seconds = 0.0
    fetch_file([f"{file_server.address}file"], tmp_path / "file", is_content)
    assert file_server.requests[-1] == ("file", f"bytes={failure.num_bytes}-")


@pytest.mark.parametrize("where", ["redirected", "direct"])
def test_the_digest_that_a_server_states_is_handed_on(tmp_path: Path, file_server: FileServer, where: str) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    file_server.files["blob"] = CONTENT
    if where == "redirected":
        file_server.linked["file"], file_server.tags["blob"] = ("blob", digest), "0" * 32
    else:
        file_server.files["file"], file_server.tags["file"] = CONTENT, digest
    stated = list[str | None]()
    urls = [f"{file_server.address}file"]
    assert fetch_file(urls, tmp_path / "a", lambda _, sha256: not stated.append(sha256)) == digest
    assert stated == [digest]


def test_what_is_there_is_asked_about_too(tmp_path: Path, file_server: FileServer) -> None:
    file_server.files["file"], target = CONTENT, tmp_path / "file"
    target.write_bytes(CONTENT[:-1])
    for _ in range(2):
        fetch_file([f"{file_server.address}file"], target, is_content)
        assert target.read_bytes() == CONTENT
    assert len(file_server.requests) == 1
