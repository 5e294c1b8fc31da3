"""A process that has no folder to stand in, or no memory to start with, ends in one error of ours."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from resnetkit.anatomy import table

Cli = Callable[..., tuple[int, str, str]]
PROGRAM = f"{sys.executable} -c 'from resnetkit.cli.app import main; main()'"


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, cwd=folder)


def test_a_current_folder_that_is_gone(tmp_path: Path) -> None:
    finished = run(f"mkdir gone && cd gone && rmdir ../gone && {PROGRAM} train digits", tmp_path)
    assert (finished.returncode, finished.stdout) == (7, "")
    assert "error: the current folder is gone" in finished.stderr


def test_too_little_address_space_is_told_before_torch_ends_the_process(tmp_path: Path) -> None:
    finished = run(f"ulimit -v 500000 && {PROGRAM} predict nowhere x.png", tmp_path)
    assert (finished.returncode, finished.stdout) == (7, "")
    assert "error: this process may use 512 MB of address space" in finished.stderr
    assert "fix: ulimit -v unlimited" in finished.stderr
    assert run(f"ulimit -v 500000 && {PROGRAM} models tutorial", tmp_path).returncode == 0, "needs no torch"


def test_memory_that_ran_out_is_no_bug(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(table, "describe", exhausted)
    code, _, err = cli("describe", "resnet18")
    assert (code, "error: out of memory" in err, "bug" in err) == (7, True, False)
