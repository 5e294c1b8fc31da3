"""Speed of this project and its peers, side by side: the harness of the scripts in this folder.

Each contestant is a process of its own that is started once, warms up, and then waits to be asked for a round. Only one
of them computes at a time, with the same threads and environment, and they take turns: A B C, C B A, A B C … So what is
timed is neither an import nor a compilation, and whatever else the machine does falls on all alike.

A script names its contestants and calls :func:`main`; the same script is the worker, told by ``--worker``.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from resnetkit.cli.app import OPENMP_SETTINGS

# Does one round; how much it did, in the comparison's unit.
Round = Callable[[], float]
AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    # What torch.compile keeps is not told apart by these: used by a process without them, it overwrites memory.
    "TORCHINDUCTOR_CACHE_DIR": f"{tempfile.gettempdir()}/resnetkit-inductor-avx2",
}
LARGE_SPREAD = 0.2


@dataclass(frozen=True)
class Contestant:
    """A name in the table, and how its worker is made ready: ``prepare`` runs in the worker and gives its round.

    Attributes:
        packages: whose versions belong into the record.
        environment: variables of its own.
        isas: with which settings of ``--isa`` it takes part.
    """

    name: str
    prepare: Callable[[], Round]
    packages: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    isas: tuple[str, ...] = ("native", "avx2")


@dataclass(frozen=True)
class Comparison:
    """Contestants that do the same work; the first is ours.

    Attributes:
        unit: of what a round does, per second.
        claim: what is compared, in a sentence or two, for the reader of the table.
    """

    name: str
    title: str
    claim: str
    contestants: tuple[Contestant, ...]
    unit: str = "images/s"


@dataclass(frozen=True)
class Outcome:
    """What one contestant did in its rounds.

    Attributes:
        speeds: in each of them.
        others_share: of the cores' time in each, what went to other work on the machine, in [0, 1].
        peak_bytes: the most memory its process had resident.
    """

    name: str
    speeds: tuple[float, ...]
    others_share: tuple[float, ...]
    peak_bytes: int


class Worker:
    """One contestant's process, asked over its pipes."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )

    def ask(self, question: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(question + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, which is told below
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker ended with status {self.process.wait()}: {self.process.args}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """Let it go; its pipe closes, and it ends."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def serve(prepare: Callable[[], Round]) -> None:
    """Be a worker: answer questions on stdin, one JSON line each, until it closes."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints belongs to stderr
    do_round: Round | None = None
    for line in sys.stdin:
        question = json.loads(line)
        if "packages" in question:
            do_round = prepare()
            answer: dict[str, Any] = {name: _version(name) for name in question["packages"]}
        else:
            assert do_round is not None
            forget_peak()
            started, others = time.perf_counter(), seconds_of_others()
            amount = do_round()
            seconds = time.perf_counter() - started
            share = max(0.0, seconds_of_others() - others) / (seconds * (os.cpu_count() or 1))
            answer = {"amount": amount, "seconds": seconds, "others_share": share, "peak_bytes": peak_bytes()}
        print(json.dumps(answer), file=answers, flush=True)


def seconds_of_others() -> float:
    """Seconds that the machine's cores have spent on anything but this process and those it started and saw end."""
    user, nice, system, _idle, _wait, *rest = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    all_seconds = (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")
    return all_seconds - sum(os.times()[:4])


def forget_peak() -> None:
    """Begin anew to look for the most memory, so that preparing and compiling do not count."""
    Path("/proc/self/clear_refs").write_text("5")  # proc(5)


def peak_bytes() -> int:
    """The most memory this process had at once; processes that it started are not in it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return 1024 * int(found[1])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def take_turns(workers: Mapping[str, Any], *, rounds: int, warm_up: int = 1) -> dict[str, Outcome]:
    """Ask every worker for ``rounds`` rounds, in turns; the first ``warm_up`` rounds count for nothing."""
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in workers}
    for number in range(-warm_up, rounds):
        for name in list(workers)[:: 1 if number % 2 == 0 else -1]:
            answer = workers[name].ask("{}")
            print(f"round {number + 1:2d}  {answer['amount'] / answer['seconds']:12,.1f}  {name}", file=sys.stderr)
            answers[name] += [answer] if number >= 0 else []
    return {
        name: Outcome(
            name,
            tuple(answer["amount"] / answer["seconds"] for answer in given),
            tuple(answer["others_share"] for answer in given),
            max(answer["peak_bytes"] for answer in given),
        )
        for name, given in answers.items()
    }


@contextmanager
def started(comparison: Comparison, script: str, threads: int, isa: str) -> Iterator[tuple[dict[str, Worker], dict]]:
    """The workers of a comparison, ready, by name, and the versions of their packages."""
    shared = {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **(AVX2 if isa == "avx2" else {}),
    }
    cores = sorted(os.sched_getaffinity(0))[:threads]  # what computes with threads of its own has no more than these
    with ExitStack() as stack:
        workers, packages = {}, {}
        for contestant in (one for one in comparison.contestants if isa in one.isas):
            command = [sys.executable, script, "--worker", f"{comparison.name}/{contestant.name}"]
            # What `resnetkit` itself sets; a peer runs as its user starts it.
            usual = OPENMP_SETTINGS if contestant.name.startswith("resnetkit") else {}
            worker = Worker(command, {**shared, **usual, **contestant.environment})
            stack.callback(worker.end)
            os.sched_setaffinity(worker.process.pid, cores)
            packages |= worker.ask(json.dumps({"packages": contestant.packages}))
            workers[contestant.name] = worker
        yield workers, packages


def ratios(ours: Outcome, theirs: Outcome) -> list[float]:
    """How many times as fast as theirs ours is, round by round."""
    return [mine / other for mine, other in zip(ours.speeds, theirs.speeds, strict=True)]


def spread_text(values: Sequence[float], pattern: str) -> str:
    """A median with the lowest and the highest value.

    >>> spread_text([1.0, 3.0, 2.5], "{:.1f}")
    '2.5 (1.0 to 3.0)'
    """
    median, low, high = (pattern.format(f(values)) for f in (statistics.median, min, max))
    return f"{median} ({low} to {high})"


def table(comparison: Comparison, outcomes: Mapping[str, Outcome]) -> str:
    """Markdown: a row for each contestant; ours first, the others with ours / theirs."""
    ours = outcomes[comparison.contestants[0].name]
    rows = [
        f"| | {comparison.unit} | ours / theirs | peak memory, MB | ours / theirs |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for outcome in outcomes.values():
        is_ours = outcome is ours
        speed = spread_text(outcome.speeds, "{:,.0f}")
        ratio = "" if is_ours else spread_text(ratios(ours, outcome), "{:.2f}")
        memory = "" if is_ours else f"{ours.peak_bytes / outcome.peak_bytes:.2f}"
        rows.append(f"| {outcome.name} | {speed} | {ratio} | {outcome.peak_bytes / 1e6:,.0f} | {memory} |")
    return "\n".join(rows)


def machine() -> str:
    """The processor, its number of cores and the system."""
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    name = names[0] if names else platform.processor()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def report(
    comparison: Comparison, outcomes: Mapping[str, Outcome], packages: Mapping[str, str], conditions: Sequence[str]
) -> str:
    """A section of Markdown: the claim, the table, and what it was measured on."""
    torn = [one.name for one in outcomes.values() if _spread(one.speeds) > LARGE_SPREAD]
    warnings = [f"Speeds that differ by more than a fifth from round to round: {', '.join(torn)}."] if torn else []
    others = [share for one in outcomes.values() for share in one.others_share]
    busy = f"other work took {spread_text([100 * share for share in others], '{:.0f}')} % of the cores' time"
    versions = ", ".join(f"{name} {number}" for name, number in sorted(packages.items()))
    measured = f"{'; '.join([*conditions, busy, versions])}."
    return "\n\n".join([comparison.claim, table(comparison, outcomes), *warnings, measured])


def _spread(values: Sequence[float]) -> float:
    return (max(values) - min(values)) / statistics.median(values)


def write_section(path: Path, heading: str, text: str) -> None:
    """Put a section into a Markdown file: in place of the one with this heading, or at the end."""
    content = path.read_text() if path.exists() else ""
    section = f"## {heading}\n\n{text.strip()}\n"
    found = re.search(rf"^## {re.escape(heading)}\n.*?(?=^## |\Z)", content, re.MULTILINE | re.DOTALL)
    if found:
        rest = content[found.end() :]
        content = content[: found.start()] + section + ("\n" + rest if rest else "")
    else:
        content = f"{content.rstrip()}\n\n{section}".lstrip()
    path.write_text(content)


def main(script: str, comparisons: Sequence[Comparison]) -> None:
    """The command line of a script: run all of its comparisons, or those named."""
    by_name = {comparison.name: comparison for comparison in comparisons}
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(by_name)}; left out: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--isa", choices=["native", "avx2"], default="native", help="avx2: as a machine without more")
    parser.add_argument("--write", type=Path, help="Markdown file to put the tables into")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        comparison, _, contestant = arguments.worker.partition("/")
        serve(next(one.prepare for one in by_name[comparison].contestants if one.name == contestant))
        return
    if unknown := set(arguments.names) - set(by_name):
        parser.error(f"unknown comparison {', '.join(unknown)}; choose from {', '.join(by_name)}")
    for comparison in comparisons:
        if arguments.names and comparison.name not in arguments.names:
            continue
        load = os.getloadavg()[0]
        with started(comparison, script, arguments.threads, arguments.isa) as (workers, packages):
            outcomes = take_turns(workers, rounds=arguments.rounds)
        conditions = [
            machine(),
            f"{arguments.threads} threads",
            f"{arguments.rounds} rounds in turns",
            f"load {load:.1f} before",
            datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        ]
        heading = comparison.title + (", limited to AVX2" if arguments.isa == "avx2" else "")
        text = report(comparison, outcomes, packages, conditions)
        print(f"## {heading}\n\n{text}", flush=True)
        if arguments.write:
            write_section(arguments.write, heading, text)
