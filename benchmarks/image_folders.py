"""Claim: a folder of JPEG photographs becomes training input faster here than with torchvision and DataLoader.

    .venv/bin/python benchmarks/image_folders.py --write benchmarks/data.md
    .venv/bin/python benchmarks/image_folders.py --folder PHOTOS later

Needs ``pip install -e '.[bench,fast]'``. Both sides give batches of 64 as a network takes them: a random-resized crop
to 224, a random flip, float32, normalised. Theirs is what a user would write: a data set that opens files with Pillow,
transforms one by one, a DataLoader with 2 worker processes. Without ``--folder`` the photographs are made up: blurred
noise with grain, 500 x 375, of about 60 kB.
"""

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from interleaved import Comparison, Contestant, Round, main
from PIL import Image

from training import import_transforms

BATCH, SIZE, WHOLE = 64, 224, 256
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NUM_IMAGES, NUM_CLASSES = 640, 4
NUM_LARGE = 16
FOLDER = "RESNETKIT_BENCHMARK_FOLDER"  # how the workers are told; they inherit it


def make_photos(folder: Path, num_images: int, size: tuple[int, int]) -> None:
    """Class folders of made-up photographs."""
    draw = np.random.default_rng(0)
    for number in range(num_images):
        coarse = Image.fromarray(draw.integers(0, 256, (12, 16, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
        grain = draw.normal(0, 8, (size[1], size[0], 3))
        path = folder / f"class{number % NUM_CLASSES}" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray((np.asarray(coarse) + grain).clip(0, 255).astype(np.uint8)).save(path, quality=85)


# --- ours ---


def set_up() -> None:
    """As `train` does for its process."""
    from resnetkit.machine import runtime

    runtime.start("cpu", compile_network="off")


def load(cache: str, max_memory_bytes: int) -> Any:
    from resnetkit.data.loading import open_data
    from resnetkit.data.spec import DataSpec
    from resnetkit.images.spec import Preprocessing

    spec = DataSpec(
        os.environ[FOLDER], validation_fraction=0, test_fraction=0, cache=cache, max_memory_bytes=max_memory_bytes
    )
    return open_data(spec).load(["train"], Preprocessing(SIZE, WHOLE, mean=MEAN, std=STD)).splits["train"]


def our_epoch(split: Any, epoch: int) -> float:
    """The input of one epoch; how many images."""
    from resnetkit.data.augmentation import crop_and_flip
    from resnetkit.data.batches import read_batches, training_order
    from resnetkit.data.spec import Augmentation
    from resnetkit.images.normalization import normalize
    from resnetkit.images.spec import Preprocessing

    preprocessing = Preprocessing(SIZE, WHOLE, mean=MEAN, std=STD)
    augmentation = Augmentation(crop_area=(0.08, 1.0), flip_rate=0.5)
    num_images = 0
    for batch in read_batches(split, training_order(0, epoch, len(split), BATCH)):
        ratios = split.aspect_ratios[batch.indices]
        crops = crop_and_flip(batch.images, ratios, augmentation, preprocessing, 0, epoch, batch.indices)
        num_images += len(normalize(crops, preprocessing))
    return num_images


def our_first_epoch() -> Round:
    """From the folder to the end of the first epoch, with nothing in the cache and writing it."""
    set_up()

    def do_round() -> float:
        with tempfile.TemporaryDirectory() as cache:
            return our_epoch(load(cache, 4 * 2**30), 0)

    return do_round


def our_second_run() -> Round:
    """From the folder to the end of the first epoch, with the images of an earlier run in the cache."""
    set_up()
    folder = tempfile.TemporaryDirectory()
    load(folder.name, 4 * 2**30)
    return lambda: our_epoch(load(folder.name, 4 * 2**30), 0)


def our_later_epochs(cached: bool, max_memory_bytes: int) -> Round:
    set_up()
    folder, epochs = tempfile.TemporaryDirectory(), itertools.count()
    split = load(folder.name if cached else "off", max_memory_bytes)

    def do_round(folder: object = folder) -> float:  # which keeps the folder as long as the images
        return our_epoch(split, next(epochs))

    return do_round


# --- theirs ---


class Photos:
    """A folder of images as a user would write it."""

    def __init__(self, folder: str, transform: Callable[[Image.Image], Any]) -> None:
        classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        self.samples = [
            (entry.path, label)
            for label, name in enumerate(classes)
            for entry in sorted(os.scandir(os.path.join(folder, name)), key=lambda entry: entry.name)
        ]
        self.transform = transform

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        path, label = self.samples[index]
        return self.transform(Image.open(path).convert("RGB")), label


def their_loader(*, persistent: bool) -> Any:
    from torch.utils.data import DataLoader

    transforms = import_transforms()
    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIZE),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    photos: Any = Photos(os.environ[FOLDER], transform)
    return DataLoader(
        photos, batch_size=BATCH, shuffle=True, num_workers=2, drop_last=True, persistent_workers=persistent
    )


def count(batches: Iterator[Any]) -> float:
    return sum(len(images) for images, _ in batches)


def their_first_epoch() -> Round:
    import_transforms()
    return lambda: count(iter(their_loader(persistent=False)))


def their_later_epochs() -> Round:
    loader = their_loader(persistent=True)
    return lambda: count(iter(loader))


# --- decoding alone ---


def decode_large(*, directly: bool, least_px: int = 0) -> Round:
    """Photographs of 2000 x 1500, decoded and resized to a square."""
    from resnetkit.images import jpeg
    from resnetkit.images.decoding import decode_pixels
    from resnetkit.images.prepared_pixels import prepare_whole
    from resnetkit.images.spec import Limits, Preprocessing

    with tempfile.TemporaryDirectory() as folder:
        make_photos(Path(folder), NUM_LARGE, (2000, 1500))
        contents = [path.read_bytes() for path in sorted(Path(folder).rglob("*.jpg"))]
    if not directly:
        jpeg._proved_decoder = lambda: None
    elif jpeg._proved_decoder() is None:
        raise SystemExit("simplejpeg is not installed, or does not give Pillow's pixels")

    def do_round() -> float:
        for content in contents:
            prepare_whole(decode_pixels(content, Limits(), 3, least_px), Preprocessing(SIZE, WHOLE))
        return len(contents)

    return do_round


PACKAGES = ("torch", "pillow", "simplejpeg", "numpy")
PEERS = ("torchvision",)
PEER = "torchvision transforms, DataLoader with 2 workers"
COMPARISONS = (
    Comparison(
        "first",
        "JPEG folder: the first epoch",
        "From a folder to the last batch of the first epoch. Ours checks, decodes and keeps every image before the "
        "first batch, and writes the cache.",
        (
            Contestant("resnetkit", our_first_epoch, PACKAGES),
            Contestant(PEER, their_first_epoch, PEERS),
        ),
    ),
    Comparison(
        "second_run",
        "JPEG folder: the first epoch of a second run",
        "The same, with the images of an earlier run in the cache; every file is still looked at for changes.",
        (
            Contestant("resnetkit", our_second_run, PACKAGES),
            Contestant(PEER, their_first_epoch, PEERS),
        ),
    ),
    Comparison(
        "later",
        "JPEG folder: later epochs",
        "One epoch after the first, ours from memory. Their workers stay alive between epochs.",
        (
            Contestant("resnetkit", partial(our_later_epochs, True, 4 * 2**30), PACKAGES),
            Contestant(PEER, their_later_epochs, PEERS),
        ),
    ),
    Comparison(
        "mapped",
        "JPEG folder: later epochs of data beyond the memory allowed",
        "As before, ours from the packed file (`data.max_memory_bytes` 0).",
        (
            Contestant("resnetkit", partial(our_later_epochs, True, 0), PACKAGES),
            Contestant(PEER, their_later_epochs, PEERS),
        ),
    ),
    Comparison(
        "decoded",
        "JPEG folder: every epoch decoded anew",
        "As before, without memory and without the cache (`data.cache` off): two threads decode.",
        (
            Contestant("resnetkit", partial(our_later_epochs, False, 0), PACKAGES),
            Contestant(PEER, their_later_epochs, PEERS),
        ),
    ),
    Comparison(
        "decoding",
        "Large photographs: decoding one after the other",
        "2000 x 1500, decoded and squeezed to 256 x 256, in one thread. The first two rows give the same pixels; "
        "reduced decoding (`preprocessing.jpeg_scaling`) gives slightly different ones.",
        (
            Contestant("simplejpeg", partial(decode_large, directly=True), PACKAGES),
            Contestant("Pillow", partial(decode_large, directly=False)),
            Contestant("simplejpeg, reduced", partial(decode_large, directly=True, least_px=2 * WHOLE)),
            Contestant("Pillow, reduced", partial(decode_large, directly=False, least_px=2 * WHOLE)),
        ),
    ),
)


def find_folder() -> None:
    """Take ``--folder`` from the command line, or make one."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--folder", help="image folder with class folders; left out: photographs are made up")
    arguments, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    if arguments.folder:
        os.environ[FOLDER] = arguments.folder


if __name__ == "__main__":
    find_folder()
    with tempfile.TemporaryDirectory() as made_up:
        if FOLDER not in os.environ and not {"-h", "--help"} & set(sys.argv):
            started = time.perf_counter()
            make_photos(Path(made_up), NUM_IMAGES, (500, 375))
            print(f"made {NUM_IMAGES} photographs in {time.perf_counter() - started:.0f} s", file=sys.stderr)
            os.environ[FOLDER] = made_up
        main(__file__, COMPARISONS)
