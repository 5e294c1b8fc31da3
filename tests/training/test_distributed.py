"""Two processes give what one process gives, up to summation order."""

import json
import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from resnetkit.classifier.classifier import load_classifier
from resnetkit.data.batches import Shard
from resnetkit.errors import Code, ResnetkitError
from resnetkit.machine import runtime
from resnetkit.runs.folder import RunFolder
from resnetkit.training import steps
from resnetkit.training.distributed import from_first_rank, make_parallel, process_group, sum_over_ranks
from resnetkit.training.interruption import Interrupted
from resnetkit.training.run import train


def two_processes(out: Path, settings: dict[str, object], *options: str) -> subprocess.CompletedProcess[str]:
    """What training in two processes said and how it ended."""
    assignments = [word for path, value in settings.items() for word in ("--set", f"{path}={json.dumps(value)}")]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
    command += [
        "-m",
        "resnetkit",
        "train",
        "digits",
        "--model",
        "resnet20_b",
        "--out",
        str(out),
        *options,
        *assignments,
    ]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def train_in_two_processes(out: Path, settings: dict[str, object]) -> Path:
    finished = two_processes(out, settings)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.count("test  top-1") == 1, "one process speaks"
    (run,) = out.iterdir()
    return run


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    # Dropout draws differ between processes, so it is off; mixing, averaging and augmentation are on. One step an
    # epoch: rounding differences grow some tenfold with every update, a real difference is there from the first.
    settings = tiny_settings | {"model.block.drop_rate": 0.0, "batch_size": 1024, "schedule.warmup_share": 0}
    settings |= {"optimizer.learning_rate": 0.02, "keep": "last"}
    one = train("digits", model="resnet20_b", settings=settings, out=tmp_path / "one").run
    two = train_in_two_processes(tmp_path / "two", settings)

    losses_one, losses_two = ([row["train_loss"] for row in RunFolder(run).events("epoch")] for run in (one, two))
    assert len(losses_one) == len(losses_two) == 3
    for tolerance, loss_one, loss_two in zip((1e-6, 1e-5, 1e-4), losses_one, losses_two, strict=True):
        assert loss_two == pytest.approx(loss_one, rel=tolerance)
    weights_one, weights_two = (load_classifier(run).network.state_dict() for run in (one, two))
    for name, value in weights_one.items():
        np.testing.assert_allclose(weights_two[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.slow
def test_two_processes_go_equally_far_in_a_time(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    settings = {path: value for path, value in tiny_settings.items() if path != "epochs"}
    finished = two_processes(tmp_path, settings, "--time", "1s")
    assert finished.returncode == 0, finished.stderr
    (run,) = tmp_path.iterdir()
    assert RunFolder(run).read_record().recipe.epochs == len(RunFolder(run).events("epoch")) == 5
    assert finished.stderr.count("1.0 s are too short") == 1


@pytest.mark.slow
def test_two_processes_equal_one_with_a_stage_that_is_frozen_and_thaws(
    tmp_path: Path, fine_settings: dict[str, object], pretrained: Path
) -> None:
    # As above; the stem stays frozen, stage 1 joins in for the third of three steps.
    settings = fine_settings | {"model.block.drop_rate": 0.0, "batch_size": 1024, "keep": "last", "ema_decay": 0.0}
    settings |= {"fine_tuning.freeze": "stage1", "fine_tuning.thaw_every_epochs": 2, "fine_tuning.layer_decay": 0.5}
    settings |= {"optimizer.learning_rate": 0.02}
    one = train("digits", model="resnet20_b", settings=settings, out=tmp_path / "one").run
    two = train_in_two_processes(tmp_path / "two", settings)
    losses_one, losses_two = ([row["train_loss"] for row in RunFolder(run).events("epoch")] for run in (one, two))
    for tolerance, loss_one, loss_two in zip((1e-6, 1e-5, 1e-4), losses_one, losses_two, strict=True):
        assert loss_two == pytest.approx(loss_one, rel=tolerance)
    before = load_classifier(pretrained).network.state_dict()
    after, after_two = (load_classifier(run).network.state_dict() for run in (one, two))
    for name, value in after.items():
        np.testing.assert_allclose(after_two[name], value, rtol=1e-3, atol=1e-4, err_msg=name)
        changed = not name.startswith(("conv1.", "bn1."))
        for weights in (after, after_two):
            assert torch.equal(weights[name], before[name]) != changed, name


@pytest.mark.slow
def test_two_processes_that_diverge_end_with_the_reason(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    settings = tiny_settings | {"optimizer.learning_rate": 1e18, "schedule.warmup_share": 0}
    finished = two_processes(tmp_path, settings)
    assert finished.returncode != 0
    assert "the weights were not updated with it" in finished.stderr
    assert "learning_rate" in finished.stderr


@pytest.mark.slow
def test_processes_that_were_started_differently_are_told_so(tmp_path: Path) -> None:
    train = f"{sys.executable} -m resnetkit train digits --model resnet20_b --out {tmp_path / 'runs'} --seed $RANK"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", "--no-python", "sh", "-c", train]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert finished.returncode != 0
    assert "error: the processes of this run differ in their recipe" in finished.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (None, True),
        (Interrupted(signal.SIGTERM), True),
        (ResnetkitError(Code.DIVERGED, "the loss became nan"), True),
        (ResnetkitError(Code.DATA, "one process could not read a file"), False),
        (KeyboardInterrupt(), False),
    ],
    ids=["all done", "asked to stop", "diverged", "one cannot go on", "asked twice"],
)
def test_processes_wait_for_each_other_where_all_of_them_leave(
    monkeypatch: pytest.MonkeyPatch, error: BaseException | None, waits: bool
) -> None:
    called: list[str] = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name, answer in (("get_rank", 1), ("get_world_size", 2)):
        monkeypatch.setattr(dist, name, lambda answer=answer: answer)
    for name in ("init_process_group", "barrier", "destroy_process_group"):
        monkeypatch.setattr(dist, name, lambda *_, name=name: called.append(name))
    with pytest.raises(type(error)) if error else nullcontext(), process_group(torch.device("cpu")):
        if error:
            raise error
    assert called == ["init_process_group", *(["barrier"] if waits else []), "destroy_process_group"]


@pytest.mark.parametrize("switch", ["off", "on"])
def test_gradients_are_exchanged_once_an_update_compiled_or_not(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    exchanged: list[tuple[type, bool]] = []

    class Exchanging(nn.Sequential):
        """What DistributedDataParallel is to several processes."""

    def noted(network: nn.Module, *, now: bool) -> AbstractContextManager[None]:
        exchanged.append((type(network), now))
        return nullcontext()

    monkeypatch.setattr(steps, "make_parallel", lambda network, _: Exchanging(network))
    monkeypatch.setattr(steps, "gradient_exchange", noted)
    monkeypatch.setattr(runtime, "_why_not_compile", lambda _: "")
    monkeypatch.setattr(torch, "compile", lambda network, *, mode: nn.Sequential(network))
    settings = tiny_settings | {"epochs": 1, "accumulate_steps": 2, "runtime.compile": switch}
    train("digits", model="resnet20_b", settings=settings, out=tmp_path)
    assert exchanged == 10 * [(Exchanging, False), (Exchanging, True)]


@pytest.mark.slow
def test_norms_and_sums_are_those_of_the_whole_batch_in_every_process(tmp_path: Path) -> None:
    """Checked by two processes in the script below."""
    script = tmp_path / "check.py"
    script.write_text(CHECK)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", str(script)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.count("equal") == 2


CHECK = """
import torch
import torch.distributed as dist
from torch import nn
from resnetkit.data.batches import Shard
from resnetkit.training.distributed import SynchronizedBatchNorm2d
from resnetkit.training.running_sums import Tally

dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
x = torch.randn(8, 5, 3, 3, dtype=torch.float64).float() * 3 + 7
gradient = torch.randn(8, 5, 3, 3)
whole, part = nn.BatchNorm2d(5), SynchronizedBatchNorm2d(5)
for norm in (whole, part):
    nn.init.constant_(norm.weight, 1.5)
    nn.init.constant_(norm.bias, 0.25)
x_whole = x.clone().requires_grad_()
whole(x_whole).backward(gradient)
mine = slice(rank * 4, rank * 4 + 4)
x_part = x[mine].clone().requires_grad_()
output = part(x_part)
output.backward(gradient[mine])
close = dict(rtol=1e-4, atol=1e-5)
torch.testing.assert_close(output, whole(x)[mine].detach(), **close)
torch.testing.assert_close(x_part.grad, x_whole.grad[mine], **close)
sums = torch.stack([part.weight.grad, part.bias.grad])
dist.all_reduce(sums)
torch.testing.assert_close(sums, torch.stack([whole.weight.grad, whole.bias.grad]), **close)
fresh = nn.BatchNorm2d(5)
fresh(x)
torch.testing.assert_close(part.running_mean, fresh.running_mean, **close)
torch.testing.assert_close(part.running_var, fresh.running_var, **close)
assert int(part.num_batches_tracked) == 1
part.eval(), fresh.eval()
torch.testing.assert_close(part(x), part(x))

tally = Tally(torch.device("cpu"), Shard(rank, 2), largest_loss=10.0)
for shares in ((0.5, 1.5), (0.5, 11.0), (0.5, 0.5)):  # the second is finite, and beyond reason in one process alone
    tally.add(torch.tensor(shares[rank], dtype=torch.float64), torch.tensor(3 + rank))
    tally.end_step(torch.tensor(1.0))
assert tally.is_bad, "both hold back the same updates"
sums = tally.read()
assert (sums.loss, sums.num_correct, sums.good_steps) == (2.0, 7, 1)
assert (sums.bad_loss, sums.bad_norm) == (11.5, 1.0)
assert tally.read([1.0, float(rank)]).votes == (2.0, 1.0)
print("equal")
dist.destroy_process_group()
"""


def test_one_process_is_left_alone() -> None:
    network = torch.nn.BatchNorm2d(3)
    assert make_parallel(network, Shard()) is network
    assert type(network) is torch.nn.BatchNorm2d
    assert from_first_rank("value", Shard()) == "value"
    assert sum_over_ranks(torch.ones(2), Shard()).tolist() == [1, 1]
