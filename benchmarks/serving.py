"""Claim: `resnetkit serve` answers more requests a second than LitServe, nearly as many as the computing alone allows.

    .venv/bin/python benchmarks/serving.py --write benchmarks/serving.md
    PHOTOS=photos .venv/bin/python benchmarks/serving.py --rounds 3 --requests 200

Needs ``pip install -e '.[bench,fast]'``. All servers run the same ONNX file of ResNet-18 (224 px, random weights) and
are sent the same JPEGs of 400 to 600 px, one a request, by clients that wait for their replies. Without ``PHOTOS``, a
folder, the JPEGs are made up. The peers are written as their own first pages teach it. Servers take turns; those that
wait are stopped (SIGSTOP), so that none of them takes time from another.

"The computing alone" decodes, prepares and computes the same files in one process, without HTTP: what no server of
these parts can be faster than.
"""

import argparse
import io
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from http_load import Reply, Request, send_all
from interleaved import machine, spread_text, write_section
from PIL import Image
from process_group import memory_bytes, pids_of

from resnetkit.benchmarking.timing import percentile

NUM_PHOTOS = 48
TICKS = os.sysconf("SC_CLK_TCK")
PEERS = ("fastapi", "litserve", "litserve8")
MULTIPART = "multipart/form-data; boundary=resnetkitphoto"


# --- what is served, and what is sent ---


def photos() -> list[bytes]:
    """JPEG files of 400 to 600 px."""
    stated = os.environ.get("PHOTOS")
    if stated:
        found = [path for path in sorted(Path(stated).rglob("*.jpg")) if 400 <= max(Image.open(path).size) <= 600]
        return [path.read_bytes() for path in found[:NUM_PHOTOS]]
    draw, files = np.random.default_rng(0), []
    for _ in range(NUM_PHOTOS):
        width, height = (int(side) for side in draw.integers(400, 601, 2))
        coarse = Image.fromarray(draw.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
        grain = draw.integers(-24, 25, smooth.shape)
        file = io.BytesIO()
        Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=88)
        files.append(file.getvalue())
    return files


def as_form(photo: bytes) -> bytes:
    """The body of a form with one file, as a browser sends it."""
    head = '--resnetkitphoto\r\nContent-Disposition: form-data; name="request"; filename="a.jpg"\r\n'
    return f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + photo + b"\r\n--resnetkitphoto--\r\n"


def write_files(folder: Path) -> None:
    """A classifier of ResNet-18, and its graph, which the peers run."""
    import torch

    from resnetkit.classifier.classifier import Classifier
    from resnetkit.graphs.onnx import write_graph
    from resnetkit.images.spec import Preprocessing
    from resnetkit.models.resnet import create_model

    torch.manual_seed(0)
    classifier = Classifier(create_model("resnet18"), Preprocessing(224, 256), tuple(map(str, range(1000))))
    classifier.save(folder / "classifier.safetensors")
    (folder / "graph.onnx").write_bytes(write_graph(classifier))


# --- servers that take turns ---


@dataclass
class Server:
    """A server that runs, with all processes that it has started.

    Attributes:
        is_form: whether it is sent forms.
    """

    name: str
    address: tuple[str, int]
    process: subprocess.Popen[bytes]
    is_form: bool = True

    def cpu_seconds(self) -> float:
        """Processor time that its processes have taken."""
        total = 0
        for pid in pids_of(self.process.pid):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def signal(self, number: int) -> None:
        os.killpg(self.process.pid, number)


@dataclass(frozen=True)
class Turn:
    """Outcome of one turn.

    Attributes:
        speed: requests a second.
        cpu_ms: processor time a request.
        p50_ms, p99_ms: of the replies' times.
    """

    speed: float
    cpu_ms: float
    p50_ms: float
    p99_ms: float
    memory_bytes: int


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(folder: Path) -> Iterator[dict[str, Server]]:
    """All servers, started and stopped."""
    program = str(Path(sys.executable).with_name("resnetkit"))
    own = [program, "serve", str(folder / "classifier.safetensors"), "--engine", "onnxruntime", "--port"]
    commands: dict[str, tuple[list[str], bool]] = {"resnetkit": (own, False), "resnetkit, forms": (own, True)}
    for peer in PEERS:
        commands[peer] = ([sys.executable, str(Path(__file__).with_name("serving_peers.py")), peer], True)
    with ExitStack() as stack:
        servers = {}
        for name, (command, is_form) in commands.items():
            port = free_port()
            process = subprocess.Popen(
                [*command, str(port)],
                env={**os.environ, "GRAPH": str(folder / "graph.onnx")},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            stack.callback(end, process)
            server = Server(name, ("127.0.0.1", port), process, is_form)
            await_ready(server)
            server.signal(signal.SIGSTOP)
            servers[name] = server
        yield servers


def await_ready(server: Server) -> None:
    """Wait until it has answered."""
    photo = photos()[0]
    body, kind = (as_form(photo), MULTIPART) if server.is_form else (photo, "image/jpeg")
    url = f"http://{server.address[0]}:{server.address[1]}/predict"
    for _ in range(600):
        if server.process.poll() is not None:
            raise SystemExit(f"{server.name} ended with {server.process.returncode}")
        try:
            request = urllib.request.Request(url, body, {"Content-Type": kind})
            urllib.request.urlopen(request, timeout=60).read()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{server.name}: {error} {error.read()[:300]!r}") from None
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit(f"{server.name} does not answer")


def end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGCONT, signal.SIGTERM):
        os.killpg(process.pid, number)
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def take_turn(server: Server, files: Sequence[bytes], number: int, concurrency: int) -> Turn:
    """Send it so many requests."""
    bodies = [as_form(file) for file in files] if server.is_form else files
    kind = MULTIPART if server.is_form else "image/jpeg"
    times: list[float] = []

    def seen(request: Request, reply: Reply) -> None:
        assert reply.status == 200, f"{server.name}: {reply.status} {reply.body[:300]!r}"
        times.append(reply.seconds)

    server.signal(signal.SIGCONT)
    try:
        requests = [Request(i, bodies[i % len(bodies)], content_type=kind) for i in range(number)]
        send_all(server.address, requests[: 2 * concurrency], concurrency=concurrency, seen=seen)  # awake again
        times.clear()
        before = server.cpu_seconds()
        seconds = send_all(server.address, requests, concurrency=concurrency, seen=seen)
        used = server.cpu_seconds() - before
        return Turn(
            number / seconds,
            1000 * used / number,
            1000 * percentile(times, 0.5),
            1000 * percentile(times, 0.99),
            memory_bytes(server.process.pid),
        )
    finally:
        server.signal(signal.SIGSTOP)


def compute_alone(folder: Path, files: Sequence[bytes], number: int) -> float:
    """Processor time a file, ms, where there is no HTTP: decoded, prepared and computed in batches of 8."""
    code = (
        "import sys, time, pathlib\n"
        "from resnetkit.inference.predictors import open_predictor\n"
        "predictor = open_predictor(sys.argv[1], engine='onnxruntime', batch_size=8, tell=lambda _: None)\n"
        "files = [path.read_bytes() for path in sorted(pathlib.Path(sys.argv[2]).iterdir())]\n"
        "number = int(sys.argv[3])\n"
        "files = [files[i % len(files)] for i in range(number)]\n"
        "predictor.predict(files[:16], batch_size=8)\n"
        "began = time.process_time()\n"
        "assert all(row.status == 'ok' for row in predictor.predict(files, batch_size=8))\n"
        "print(1000 * (time.process_time() - began) / number)\n"
    )
    place = folder / "photos"
    place.mkdir(exist_ok=True)
    for i, file in enumerate(files):
        (place / f"{i:03}.jpg").write_bytes(file)
    from resnetkit.cli.app import OPENMP_SETTINGS

    command = [sys.executable, "-c", code, str(folder / "classifier.safetensors"), str(place), str(number)]
    return float(subprocess.run(command, check=True, capture_output=True, env={**os.environ, **OPENMP_SETTINGS}).stdout)


# --- the tables ---


def compare(servers: dict[str, Server], files: Sequence[bytes], arguments: argparse.Namespace, folder: Path) -> str:
    turns: dict[str, list[Turn]] = {name: [] for name in servers}
    alone = []
    for number in range(arguments.rounds):
        alone.append(compute_alone(folder, files, arguments.requests))
        for name in list(servers)[:: 1 if number % 2 == 0 else -1]:
            turn = take_turn(servers[name], files, arguments.requests, 16)
            turns[name].append(turn)
            print(number, name, turn, file=sys.stderr, flush=True)
    ours = turns["resnetkit"]
    columns = ("", "requests/s", "ours / theirs", "p50, ms", "p99, ms", "processor ms a request")
    columns += ("× the computing alone", "memory, MB")
    rows = [f"| {' | '.join(columns)} |", "| --- |" + " ---: |" * (len(columns) - 1)]
    for name, own in turns.items():
        ratio = [mine.speed / theirs.speed for mine, theirs in zip(ours, own, strict=True)]
        bound = [turn.cpu_ms / least for turn, least in zip(own, alone, strict=True)]
        cells = [
            NAMES[name],
            spread_text([turn.speed for turn in own], "{:.1f}"),
            "" if own is ours else spread_text(ratio, "{:.2f}"),
            f"{statistics.median(turn.p50_ms for turn in own):.0f}",
            spread_text([turn.p99_ms for turn in own], "{:.0f}"),
            spread_text([turn.cpu_ms for turn in own], "{:.1f}"),
            spread_text(bound, "{:.2f}"),
            f"{max(turn.memory_bytes for turn in own) / 1e6:.0f}",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    rows.append(f"| the computing alone | | | | | {spread_text(alone, '{:.1f}')} | 1 | |")
    rows += ["", f"{arguments.rounds} rounds in turns of {arguments.requests} requests."]
    return "\n".join(rows)


CLIENTS = (1, 2, 4, 8, 16, 32, 64)
NAMES = {
    "resnetkit": "resnetkit serve, the file as the body",
    "resnetkit, forms": "resnetkit serve, forms",
    "fastapi": "FastAPI + ONNX Runtime, `def` endpoint",
    "litserve": "LitServe, one by one",
    "litserve8": "LitServe, batches of 8, one worker",
}


def grow(servers: dict[str, Server], files: Sequence[bytes], arguments: argparse.Namespace, folder: Path) -> str:
    """From 1 to 64 clients."""
    names = ("resnetkit", "fastapi", "litserve8")
    columns = [f"{NAMES[name]}: requests/s, p99 ms, processor ms" for name in names]
    rows = [f"| clients | {' | '.join(columns)} |", "| ---: |" + " ---: |" * len(names)]
    costs: dict[str, list[float]] = {name: [] for name in names}
    for concurrency in CLIENTS:
        cells = []
        for name in names:
            turn = take_turn(servers[name], files, max(arguments.requests // 2, 2 * concurrency), concurrency)
            costs[name].append(turn.cpu_ms)
            cells.append(f"{turn.speed:.1f}, {turn.p99_ms:.0f}, {turn.cpu_ms:.1f}")
            print(concurrency, name, turn, file=sys.stderr, flush=True)
        rows.append(f"| {concurrency} | {' | '.join(cells)} |")
    told = f"One turn each, of {arguments.requests // 2} requests or twice as many as clients."
    return "\n".join([*rows, "", told, "", *draw(costs)])


def draw(costs: dict[str, list[float]]) -> list[str]:
    """Processor time a request against the number of clients, as a chart in Markdown."""
    lines = [f"    line {[round(cost, 1) for cost in own]}" for own in costs.values()]
    return [
        f"Processor time a request, lines in the order of the columns ({', '.join(costs)}):",
        "",
        "```mermaid",
        "xychart-beta",
        f"    x-axis clients {list(CLIENTS)}",
        f'    y-axis "ms a request" 0 --> {10 * (int(max(max(own) for own in costs.values())) // 10 + 1)}',
        *lines,
        "```",
    ]


# By name, a heading and what makes the table below it.
TABLES: dict[str, tuple[str, Callable[..., str]]] = {
    "compare": ("16 clients", compare),
    "grow": ("From 1 to 64 clients", grow),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(TABLES)}; left out: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--write", type=Path, help="Markdown file to put the tables into")
    arguments = parser.parse_args()
    load, files = os.getloadavg()[0], photos()
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder))
        with running(Path(folder)) as servers:
            wanted = {name: TABLES[name] for name in arguments.names or TABLES}
            tables = {heading: make(servers, files, arguments, Path(folder)) for heading, make in wanted.values()}
    about = f"{machine()}; load {load:.1f} before; {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    for heading, table in tables.items():
        print(f"## {heading}\n\n{table}\n\n{about}", flush=True)
        if arguments.write:
            write_section(arguments.write, heading, f"{table}\n\n{about}")


if __name__ == "__main__":
    main()
