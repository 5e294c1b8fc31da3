"""Claim: the shortest time from random weights to an accuracy, as speed records are stated.

Trains on all training images, once for every seed, in one process whose data are loaded and whose network is compiled
already: a run that counts for nothing comes first. Timed from the first batch to the scores of the test split, answers
averaged with the mirror image included where the recipe does that; checkpoints go to memory. The test split decides
nothing. Other arguments are settings of the recipe.

    .venv/bin/python benchmarks/speedrun.py cifar10 --recipe quick --runs 50 --set runtime.deterministic=false
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from resnetkit.config import parse_settings
from resnetkit.data.types import LoadedData
from resnetkit.machine import runtime
from resnetkit.machine.peaks import synchronize
from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import Recipe
from resnetkit.runs.events import Listener
from resnetkit.runs.folder import RunFolder
from resnetkit.training.computing import start_computing
from resnetkit.training.loop import Loop
from resnetkit.training.planning import plan
from resnetkit.training.state import new_network, new_state
from resnetkit.training.steps import Steps
from resnetkit.training.validation import quick_scores

MEMORY = Path("/dev/shm")


def run_once(recipe: Recipe, network: ResNet, data: LoadedData, computing: runtime.Runtime) -> tuple[float, float]:
    """Seconds and test top-1 in % of one run, which starts the network that is there anew."""
    network.load_state_dict(new_network(recipe).state_dict())
    state = new_state(recipe, network, computing.device)
    train_only = replace(data, splits={"train": data.splits["train"]})
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        synchronize(computing.device)
        started = time.perf_counter()
        Loop(Steps(recipe, state, train_only, computing), RunFolder(Path(folder)), Listener(), {}).run_all()
        scores = quick_scores(state.average.network, recipe.preprocessing, data.splits["test"])
        synchronize(computing.device)
        return time.perf_counter() - started, 100 * scores["val_top1"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--model")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="FIELD=VALUE")
    arguments = parser.parse_args()
    settings = {"data.validation_fraction": 0, "keep": "last", **parse_settings(arguments.settings)}
    source, chosen = plan(arguments.data, model=arguments.model, recipe=arguments.recipe, settings=settings)
    recipe = chosen.recipe
    computing = start_computing(recipe, source.split_sizes["train"])
    data = source.load(("train", "test"), recipe.preprocessing)
    print(f"{recipe.model_name}, {recipe.epochs} epochs, batches of {recipe.batch_size}, on {computing}", flush=True)
    network = new_network(recipe).to(computing.device)
    seconds, top1 = [], []
    for number in range(arguments.runs + 1):
        needed, reached = run_once(replace(recipe, seed=number), network, data, computing)
        print(f"{'warm-up' if number == 0 else f'seed {number}'}: {needed:.3f} s, {reached:.2f} %", flush=True)
        if number:
            seconds.append(needed)
            top1.append(reached)
    spread = statistics.stdev(top1) / len(top1) ** 0.5 if len(top1) > 1 else float("nan")
    print("| n | seconds, median (lowest to highest) | test top-1 %, mean ± standard error (lowest to highest) |")
    print("| --- | --- | --- |")
    print(
        f"| {len(top1)} | {statistics.median(seconds):.3f} ({min(seconds):.3f} to {max(seconds):.3f}) "
        f"| {statistics.mean(top1):.2f} ± {spread:.2f} ({min(top1):.2f} to {max(top1):.2f}) |"
    )
    environment = runtime.environment()
    device = environment["gpu"] if computing.device.type == "cuda" else environment["processor"]
    print(f"\n{device}; torch {torch.__version__}; Python {environment['python']}")


if __name__ == "__main__":
    main()
