"""A small classifier of which the engine is known already, for workers in processes of their own."""

import asyncio
import io
import shutil
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from PIL import Image
from tests.serving.known import BROKEN
from tests.small_classifiers import SMALL, randomize

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.prediction import Predictor
from resnetkit.images.spec import Preprocessing
from resnetkit.models.resnet import ResNet
from resnetkit.serving.opening import ToServe, open_to_serve
from resnetkit.serving.served import Answers
from resnetkit.serving.settings import ServerSettings

Result = TypeVar("Result")
ENGINE = "onnxruntime"
SETTINGS = ServerSettings(drain_seconds=10)


@pytest.fixture(scope="session", autouse=True)
def one_thread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Workers compute with as many threads as these tests, and have a cache of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def write_classifier(path: Path, seed: int) -> Path:
    """A classifier file whose engine is remembered beside it, so that no worker loads torch."""
    torch.manual_seed(seed)
    network = ResNet(SMALL)
    randomize(network)
    with torch.no_grad():
        network.fc.weight /= network.eval()(torch.randn(8, 3, 16, 16)).std().clamp(min=1)
        network.fc.bias += torch.randn(3)
    names = tuple(f"{seed} {number}" for number in range(3))
    Classifier(network, Preprocessing(16, 16), names).save(path)
    open_to_serve(ToServe("", str(path), engine=ENGINE), max_batch_images=8, tell=lambda _: None)
    return path


@pytest.fixture(scope="session")
def file(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier; not to be changed."""
    return write_classifier(tmp_path_factory.mktemp("classifier") / "small.safetensors", 1)


@dataclass(frozen=True)
class Known:
    """Image files with the answers that the classifier itself gives, in batches of their own.

    Attributes:
        expected: probabilities of each; None for one that cannot be read.
    """

    files: list[bytes]
    expected: list[np.ndarray | None]

    @classmethod
    def of(cls, predictor: Predictor, files: list[bytes]) -> "Known":
        rows = predictor.predict(files, top=3)
        shares = [dict(row.top) for row in rows]
        names = predictor.class_names
        return cls(files, [np.float32([share[name] for name in names]) if share else None for share in shares])

    def check(self, places: list[int], answers: Answers) -> None:
        """Each answer is that of its own image, to the last bit."""
        assert len(answers) == len(places)
        for place, answer in zip(places, answers, strict=True):
            wanted = self.expected[place]
            assert (answer.status == "error") == (wanted is None)
            if wanted is not None:
                assert answer.probabilities is not None
                assert answer.probabilities.tobytes() == wanted.tobytes()


def small_files(number: int = 40) -> list[bytes]:
    """Images of several sizes; every tenth cannot be read."""
    random, files = np.random.default_rng(0), []
    for place in range(number):
        content = io.BytesIO()
        shape = (int(random.integers(16, 60)), int(random.integers(16, 60)), 3)
        Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)).save(content, "PNG" if place % 2 else "JPEG")
        files.append(BROKEN if place % 10 == 9 else content.getvalue())
    return files


@pytest.fixture(scope="session")
def other(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another classifier, with classes of other names."""
    return write_classifier(tmp_path_factory.mktemp("other") / "small.safetensors", 2)


def known_of(file: Path) -> Known:
    opened = open_to_serve(ToServe("", str(file), engine=ENGINE), max_batch_images=8, tell=lambda _: None)
    return Known.of(opened.predictor, small_files())


@pytest.fixture(scope="session")
def known(file: Path) -> Known:
    return known_of(file)


def put(source: Path, place: Path) -> None:
    """Replace a classifier's file in one step, with the engines that are remembered beside it."""
    engines = place.with_name(f".{place.name}.engines")
    shutil.copytree(source.with_name(f".{source.name}.engines"), engines, dirs_exist_ok=True)
    shutil.copy(source, place.with_suffix(".new"))
    place.with_suffix(".new").replace(place)


async def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.005)


def run(work: Callable[[], Awaitable[Result]], seconds: float = 120) -> Result:
    """Run a test's coroutine, which may not take for ever."""

    async def bounded() -> Result:
        async with asyncio.timeout(seconds):
            return await work()

    return asyncio.run(bounded())


def is_running(pid: int) -> bool:
    """Tell whether a process is there and no mere name of one that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
