"""Claim: 1.28 million image files are listed in 600 MB of memory at most, and a first batch is read within a minute.

    .venv/bin/python benchmarks/large_folders.py --scratch /tmp

Makes a folder of the size of ImageNet's training images, 1,000 classes of 1,280 files, out of hard links to 64 made-up
photographs (see ``image_folders.py``), so that it takes 40 MB of the disk; it is removed at the end. Prints how long
each step takes to the first batch of training, as ``train --check lazy`` does them, and the largest memory so far.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from image_folders import make_photos

NUM_PHOTOS = 64  # a file has at most 65,000 names on ext4
BATCH_SIZE = 256


def make_folder(root: Path, num_classes: int, num_images: int) -> None:
    """Class folders of so many hard links each."""
    photos = root.with_name("photos")
    photos.mkdir()
    make_photos(photos, NUM_PHOTOS, (500, 375))
    files = sorted(map(str, photos.rglob("*.jpg")))
    for label in range(num_classes):
        folder = root / f"n{label:08d}"
        folder.mkdir(parents=True)
        for number in range(num_images):
            os.link(files[(label * num_images + number) % NUM_PHOTOS], f"{folder}/{folder.name}_{number}.JPEG")


@contextmanager
def stated(what: str) -> Iterator[None]:
    """Print how long the block takes, and how much memory the process has had at most."""
    started, used = time.perf_counter(), time.process_time()
    yield
    seconds, of_processor = time.perf_counter() - started, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"| {what} | {seconds:.1f} | {of_processor:.1f} | {peak:,.0f} |", flush=True)


def read_first_batch(root: Path) -> None:
    """Do all that lies between the path of a folder and the input of the first step."""
    print("| step | seconds | of the processor | peak memory so far, MB |\n| --- | ---: | ---: | ---: |")
    with stated("load torch and the project"):
        import torch

        from resnetkit.data.batches import Shard
        from resnetkit.data.spec import DataSpec
        from resnetkit.data.splitting import SPLITS
        from resnetkit.machine import runtime
        from resnetkit.training.batches import Feed
        from resnetkit.training.planning import plan
    spec = DataSpec(str(root), check="lazy", cache="off")
    with stated("list the files, split them, look at headers, choose the recipe"):
        source, chosen = plan(spec, model="resnet18", recipe="photos", settings={"batch_size": BATCH_SIZE})
    recipe = chosen.recipe
    runtime.start("cpu", compile_network="off")
    with stated("open the splits"):
        loaded = source.load(SPLITS, recipe.preprocessing, lazily=True)
    with stated(f"order of the epoch, and its first batch: {BATCH_SIZE} images decoded, cropped and normalised"):
        feed = Feed(recipe, loaded.splits["train"], len(loaded.class_names), torch.device("cpu"), Shard())
        batch = next(iter(feed.batches(epoch=0, first_step=0)))
    sizes = ", ".join(f"{name} {len(split):,}" for name, split in loaded.splits.items())
    print(f"\n{sizes}; the first batch {tuple(batch.inputs.shape)}")


def main() -> None:
    """Make the folder, measure in a process of its own, remove the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scratch", default=tempfile.gettempdir(), help="where the folder is made, and removed")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--images", type=int, default=1280, help="of each class")
    parser.add_argument("--folder", type=Path, help="class folders that are there already; nothing is made or removed")
    arguments = parser.parse_args()
    if arguments.folder is not None:
        read_first_batch(arguments.folder)
        return
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        root = Path(scratch) / "images"
        make_folder(root, arguments.classes, arguments.images)
        # The makers of photographs have taken memory of their own.
        subprocess.run([sys.executable, __file__, "--folder", root], check=True)


if __name__ == "__main__":
    main()
