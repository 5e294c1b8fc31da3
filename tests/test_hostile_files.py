"""Tampered weight files, classifiers and class lists: an answer or one error of ours, soon, in bounded memory."""

from __future__ import annotations

import json
import os
import resource
import struct
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from safetensors.torch import save

from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.spec import Preprocessing
from resnetkit.models.resnet import ResNet, create_model
from resnetkit.sources.class_names import read_class_names
from resnetkit.sources.describe_file import report_on

from .bombs import hdf5, keras, write_bombs
from .tampering import substitute, tamper

SEED, NUM_FILES = 13, 200
MOST_SECONDS, MOST_BYTES = 10, 1 << 30
PROCESS_SECONDS, PROCESS_BYTES = 60, 3 << 30  # of processor time; of memory, beside what importing takes


def small_network() -> ResNet:
    return create_model("resnet20", depths=(1, 1), widths=(16, 24), strides=(1, 2), num_classes=2, in_channels=1)


def head_of(content: bytes) -> tuple[dict[str, Any], bytes]:
    end = 8 + struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8:end]), content[end:]


def with_description(content: bytes, change: Any) -> bytes:
    """A classifier's file whose description was changed, and all else is right."""
    head, numbers = head_of(content)
    head["__metadata__"]["resnetkit"] = json.dumps(change(json.loads(head["__metadata__"]["resnetkit"])))
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def write_corpus(folder: Path) -> None:
    """The tampered files, the same ones for the same seed."""
    random = Random(SEED)
    torch.manual_seed(SEED)
    network = small_network()
    state = network.state_dict()
    classifier = Classifier(network, Preprocessing(8, 8, 1, (0.5,), (0.5,)), ("a", "b")).to_bytes()
    good = {"classifier.safetensors": classifier, "weights.safetensors": save(state)}
    for name, zipped in (("zip.pt", True), ("legacy.pt", False)):
        torch.save({"state_dict": state, "epoch": 3}, folder / name, _use_new_zipfile_serialization=zipped)
        good[name] = (folder / name).read_bytes()
    good["names.json"] = json.dumps({"cat": 0, "dog": 1}).encode()
    good["names.txt"] = "cat\r\ndog\r\n".encode("utf-16")
    good["weights.h5"] = hdf5(lambda file: file.create_dataset("layers/conv2d/vars/0", data=[[[[1.0]]]]))
    good["model.keras"] = keras(good["weights.h5"], '{"config": {"layers": []}}')
    for i in range(NUM_FILES):
        if i % 2:
            content = with_description(classifier, lambda values: substitute(values, random))
            (folder / f"{i:03d}-described.safetensors").write_bytes(content)
        else:
            name = random.choice(list(good))
            (folder / f"{i:03d}-{name}").write_bytes(tamper(good[name], random))
    write_bombs(folder)


def peak_bytes() -> int:
    """The most memory this process has held; unlike getrusage's, without that of the process which started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def read_corpus(folder: Path) -> None:
    """Read every file, and print for each how it ended, how long it took and how much memory it added."""
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESS_SECONDS, PROCESS_SECONDS))
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + PROCESS_BYTES, taken + PROCESS_BYTES))
    for path in sorted(folder.iterdir()):
        print(path.name, end="\t", flush=True)
        start, before = time.perf_counter(), peak_bytes()
        try:
            read_class_names(str(path)) if "-names." in path.name else report_on(str(path))
            ended = "answered"
        except ResnetkitError as error:
            ended = f"code {int(error.code)}"
        except Exception as error:
            ended = f"bug: {error!r}"
        print(ended, time.perf_counter() - start, peak_bytes() - before, sep="\t", flush=True)


@pytest.mark.slow
def test_tampered_files_end_in_an_answer_or_one_error_soon_and_in_bounded_memory(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    code = "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); "
    code += "from tests.test_hostile_files import read_corpus; read_corpus(Path(sys.argv[2]))"
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code, str(root), str(tmp_path)], capture_output=True, text=True, timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"at the last of these files:\n{done.stdout[-300:]}\n{done.stderr[-2000:]}"
    rows = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") == 3]
    assert len(rows) >= NUM_FILES
    assert {ended for _, ended, *_ in rows} == {"answered", "code 2", "code 4"}
    for name, ended, seconds, num_bytes in rows:
        assert ended == "code 4" or not name.startswith("bomb"), name
        assert ended == ("code 2" if "-names." in name else "code 4") or ended == "answered", (name, ended)
        assert float(seconds) < MOST_SECONDS, name
        assert int(num_bytes) < MOST_BYTES, name


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model.in_channels", 10**9),
        ("model.num_classes", 10**9),
        ("model.widths", [10**9, 24]),
        ("model.widths", [4000, 6000]),
        ("model.depths", [10**9, 1]),
        ("model.depths", [1, 10**30]),
        ("model.widths", [1] * 100_000),
        ("model.block.kernel_sizes", [10**9, 3]),
        ("model.in_channels", float("nan")),
        ("model.in_channels", -1),
        ("model.num_classes", "many"),
        ("preprocessing.image_size_px", 1e30),
        ("preprocessing.resize_px", 10**9),
        ("preprocessing.resize_px", 1e30),
        ("class_names", 3),
        ("class_names", ["a"] * 5),
    ],
)
def test_a_description_larger_than_the_file_is_refused_before_anything_is_made(
    tmp_path: Path, path: str, value: object
) -> None:
    def change(values: Any) -> Any:
        *parents, leaf = path.split(".")
        node = values
        for parent in parents:
            node = node[parent]
        node[leaf] = value
        return values

    good = Classifier(small_network(), Preprocessing(8, 8, 1, (0.5,), (0.5,)), ("a", "b")).to_bytes()
    file = tmp_path / "c.safetensors"
    file.write_bytes(with_description(good, change))
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(ResnetkitError) as raised:
        load_classifier(file)
    assert raised.value.code is Code.WEIGHTS
    assert time.process_time() - start < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024
