"""A file that has been replaced is noticed once, and not while it is being written."""

import asyncio
import os
from pathlib import Path

import pytest
from tests.serving.conftest import run

from resnetkit.serving import watching
from resnetkit.serving.watching import WatchedFile


def test_it_waits_until_the_file_rests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "WATCH_SECONDS", 0.02)
    file = tmp_path / "file"
    file.write_bytes(b"1")

    async def work() -> None:
        watched = WatchedFile(file)
        waiting = asyncio.create_task(watched.changed())
        await asyncio.sleep(0.1)
        assert not waiting.done()
        states = iter(range(2, 8))
        look = watching.look_at_file

        def looked(path: Path) -> object:  # written to before each look, six times
            if (size := next(states, None)) is not None:
                file.write_bytes(b"1" * size)
            return look(path)

        monkeypatch.setattr(watching, "look_at_file", looked)
        await waiting
        assert next(states, None) is None
        waiting = asyncio.create_task(watched.changed())
        file.unlink()
        await asyncio.sleep(0.1)
        assert not waiting.done()  # it is not replaced by nothing
        other = tmp_path / "other"
        other.write_bytes(b"1" * 7)
        os.utime(other, ns=(5, 5))
        other.replace(file)
        await waiting

    run(work, 20)
