"""Two machines, here two torchrun of one process each: where one is lost the other ends, and the run goes on."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from resnetkit.errors import Code, ResnetkitError
from resnetkit.runs.folder import RunFolder
from resnetkit.training.distributed import process_group
from resnetkit.training.run import resume

SETTINGS = ("model.depths=[1,1,1]", "epochs=40", "batch_size=1024", "checkpoint_seconds=0", "runtime.threads=1")


def start_machine(port: int, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
    command += ["--rdzv-backend", "c10d", "--rdzv-id", "test", "--rdzv-endpoint", f"127.0.0.1:{port}"]
    command += ["-m", "resnetkit", "train", "digits", "--model", "resnet20_b", "--out", str(out)]
    command += [word for setting in SETTINGS for word in ("--set", setting)]
    # Its workers have sessions of their own, so they are found as its children.
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def lose(machine: subprocess.Popen[str]) -> None:
    """End a machine's processes at once, as a lost machine does."""
    children = Path(f"/proc/{machine.pid}/task/{machine.pid}/children").read_text().split()
    for pid in (machine.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)


def wait_for_epochs(out: Path, number: int, seconds: float) -> RunFolder:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        runs = [RunFolder(path) for path in out.glob("0001-*")] if out.exists() else []
        if runs and len(runs[0].events("epoch")) >= number:
            return runs[0]
        time.sleep(0.2)
    raise AssertionError("the run did not get going")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("lost", [0, 1])
def test_where_a_machine_is_lost_the_other_ends_and_the_run_goes_on(tmp_path: Path, lost: int) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    machines = [start_machine(port, tmp_path / "runs") for _ in range(2)]
    try:
        folder = wait_for_epochs(tmp_path / "runs", 3, seconds=180)
        lose(machines[lost])
        lost_at = time.monotonic()
        _, said = machines[1 - lost].communicate(timeout=60)
        assert time.monotonic() - lost_at < 60
    finally:
        for machine in machines:
            if machine.poll() is None:
                lose(machine)
    assert machines[1 - lost].returncode != 0
    assert "another process of this run has ended, or is out of reach" in said
    done = len(folder.events("epoch"))
    assert done < 40, "it was lost on the way"
    result = resume(folder.path)
    assert result.scores["test"].top1.num_images > 0
    assert [row["epoch"] for row in folder.events("epoch")] == list(range(1, 41))


@pytest.mark.parametrize(
    ("error", "is_told"),
    [
        (RuntimeError("[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer"), True),
        (dist.DistNetworkError("the server socket is gone"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_an_exchange_that_fails_is_told_as_what_it_is(
    monkeypatch: pytest.MonkeyPatch, error: RuntimeError, is_told: bool
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(dist, "get_rank", lambda: 1)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    for name in ("init_process_group", "destroy_process_group"):
        monkeypatch.setattr(dist, name, lambda *_: None)
    with pytest.raises(RuntimeError if not is_told else ResnetkitError) as raised, process_group(torch.device("cpu")):
        raise error
    if is_told:
        assert raised.value.code == Code.IO
        assert "--resume" in raised.value.fix
