"""Claim: in the time that `resnetkit train` takes for some photographs, no usual way of fine-tuning does as well.

    .venv/bin/python benchmarks/fine_tuning.py FOLDER CLASSIFIER --seeds 0 1 2

FOLDER has `train` and `val`, each with a folder a class; CLASSIFIER is a file of ours with the weights to start from.
All four start from the same network and weights, on the same images, in processes of their own that take turns. The
command runs first, from its start to its report; then each peer has as long, from the start of its process to its
score:

- a plain loop that trains the head alone, and one that trains everything, as PyTorch's tutorial on transfer learning
  has them: random-resized crops and flips, SGD with momentum 0.9, at its learning rate for batches of 32 in place of 4;
  the rate falls linearly to 0 as the time passes, and a step that would not end in time is not begun;
- fastai's `Learner.fine_tune`, with its usual augmentation, its usual rates and as many epochs as fit, one at least.

Needs ``pip install -e '.[bench]'``; fastai only where it is there (`--peers head all` leaves it out).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from training import import_transforms

START = time.monotonic()
PEERS = ("head", "all", "fastai")
BATCH, RATE, NUM_WORKERS = 32, 8e-3, 2
IMAGE_PX, RESIZE_PX = 224, 256


class Score(NamedTuple):
    """Right answers of so many validation images, and how far a peer came until then."""

    correct: int
    num_images: int
    told: str


class Task(NamedTuple):
    """What every peer is given; ``end`` is by :func:`time.monotonic`."""

    folder: Path
    network: Any
    mean: tuple[float, ...]
    std: tuple[float, ...]
    seed: int
    end: float


def our_command(folder: str, weights: str, seed: int) -> tuple[float, Score]:
    """Seconds of the whole command, and its score."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "resnetkit", "train", folder, "--weights", weights, "--reset-head"]
        command += ["--seed", str(seed), "--out", out, "--set", "data.cache=off", "--json"]
        before = time.monotonic()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        took = time.monotonic() - before
    top1 = json.loads(done.stdout)["scores"]["val"]["top1"]
    return took, Score(top1["correct"], top1["num_images"], "all it does")


def train_loop(task: Task, *, trains_all: bool) -> Score:
    """A plain loop over a loader."""
    import torch
    from torch.nn import functional as F
    from torchvision import datasets

    transforms = import_transforms()
    as_input = [transforms.ToTensor(), transforms.Normalize(task.mean, task.std)]
    changed = [transforms.RandomResizedCrop(IMAGE_PX), transforms.RandomHorizontalFlip(), *as_input]
    in_use = [transforms.Resize(RESIZE_PX), transforms.CenterCrop(IMAGE_PX), *as_input]
    train = datasets.ImageFolder(str(task.folder / "train"), transforms.Compose(changed))
    val = datasets.ImageFolder(str(task.folder / "val"), transforms.Compose(in_use))
    loader = torch.utils.data.DataLoader(train, BATCH, shuffle=True, drop_last=True, num_workers=NUM_WORKERS)
    network = task.network.to(memory_format=torch.channels_last)
    network.requires_grad_(trains_all)
    network.fc.requires_grad_(True)
    parameters = [each for each in network.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(parameters, RATE, momentum=0.9)

    def images_per_second() -> float:
        images = torch.stack([val[number][0] for number in range(BATCH)])
        network.eval()
        with torch.inference_mode():
            network(images)
            before = time.monotonic()
            network(images)
        return BATCH / (time.monotonic() - before)

    began = time.monotonic()
    end = task.end - 1.1 * len(val) / images_per_second()
    num_steps, longest = 0, 0.0
    network.train()
    while time.monotonic() + longest < end:
        for images, labels in loader:
            before = time.monotonic()
            if before + longest >= end:
                break
            for group in optimizer.param_groups:
                group["lr"] = RATE * (end - before) / (end - began)
            loss = F.cross_entropy(network(images.to(memory_format=torch.channels_last)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            num_steps, longest = num_steps + 1, max(longest, time.monotonic() - before)
    network.eval()
    with torch.inference_mode():
        batches = torch.utils.data.DataLoader(val, BATCH, num_workers=NUM_WORKERS)
        correct = sum(int((network(images).argmax(1) == labels).sum()) for images, labels in batches)
    return Score(correct, len(val), f"{num_steps * BATCH / len(train):.1f} epochs")


def train_fastai(task: Task) -> Score:
    """As its tutorials do: one epoch of the head, then of everything."""
    import torch

    import_transforms()
    from fastai.vision.all import (
        CrossEntropyLossFlat,
        ImageDataLoaders,
        Learner,
        Normalize,
        Resize,
        aug_transforms,
        params,
        set_seed,
    )

    set_seed(task.seed)
    changes = [*aug_transforms(size=IMAGE_PX), Normalize.from_stats(task.mean, task.std)]
    loaders = ImageDataLoaders.from_folder(
        task.folder, train="train", valid="val", item_tfms=Resize(460), batch_tfms=changes, bs=BATCH, num_workers=2
    )
    head = task.network.fc
    body = torch.nn.ModuleList([module for name, module in task.network.named_children() if name != "fc"])
    learner = Learner(
        loaders, task.network, CrossEntropyLossFlat(), splitter=lambda _: [params(body), params(head)], cbs=[]
    )
    before = time.monotonic()
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(0, freeze_epochs=1)
        took = time.monotonic() - before  # an epoch of all takes about twice as long
        epochs = max(0, int((task.end - time.monotonic()) / (2.2 * took)))
        if epochs:
            learner.unfreeze()
            learner.fit_one_cycle(epochs, slice(1e-3 / 2 / 100, 1e-3), pct_start=0.3, div=5.0)
        logits, labels = learner.get_preds(dl=loaders.valid)
    late = time.monotonic() - task.end
    told = f"1 epoch of the head, {epochs} of all" + (f", {late:.0f} s late" if late > 0 else "")
    return Score(int((logits.argmax(1) == labels).sum()), len(labels), told)


RUN: dict[str, Callable[[Task], Score]] = {
    "head": lambda task: train_loop(task, trains_all=False),
    "all": lambda task: train_loop(task, trains_all=True),
    "fastai": train_fastai,
}


def be_a_peer(peer: str, folder: str, weights: str, seed: int, seconds: float) -> None:
    """Do what one peer does, and print its score as JSON."""
    import torch

    from resnetkit import open_classifier

    import_transforms()
    torch.manual_seed(seed)
    classes = [path for path in (Path(folder) / "train").iterdir() if path.is_dir()]
    classifier = open_classifier(weights)
    network, preprocessing = classifier.network, classifier.preprocessing
    network.requires_grad_(True)
    network.reset_head(len(classes))
    task = Task(Path(folder), network, preprocessing.mean, preprocessing.std, seed, START + seconds)
    print(json.dumps(RUN[peer](task)))


def tell(seed: int, who: str, score: Score, seconds: float) -> float:
    """Print a row; the share of right answers, in percent."""
    share = 100 * score.correct / score.num_images
    print(f"| {seed} | {who} | {share:.2f} % | {score.told} | {seconds:.0f} |", flush=True)
    return share


def main() -> None:
    """Compare, or be one of those that are compared."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("weights")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS)
    parser.add_argument("--worker", nargs=3, metavar=("PEER", "SEED", "SECONDS"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        peer, seed, seconds = asked.worker
        be_a_peer(peer, asked.folder, asked.weights, int(seed), float(seconds))
        return
    shares: dict[str, list[float]] = {}
    print("| seed | who | top-1 | how far | seconds |\n| --- | --- | --- | --- | --- |", flush=True)
    for seed in asked.seeds:
        limit, score = our_command(asked.folder, asked.weights, seed)
        shares.setdefault("resnetkit train", []).append(tell(seed, "resnetkit train", score, limit))
        for peer in asked.peers:
            before = time.monotonic()
            command = [sys.executable, __file__, asked.folder, asked.weights, "--worker", peer, str(seed), str(limit)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found = Score(*json.loads(done.stdout.splitlines()[-1]))
            shares.setdefault(peer, []).append(tell(seed, peer, found, time.monotonic() - before))
    for who, all_shares in shares.items():
        print(f"| median | {who} | {statistics.median(all_shares):.2f} % | | |")


if __name__ == "__main__":
    main()
