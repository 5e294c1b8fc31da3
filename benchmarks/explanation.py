"""Claim: Grad-CAM of an image costs no more than three forward passes, and methods that ask often ask a fast engine.

    .venv/bin/python benchmarks/explanation.py

One image of 224 px for ResNet-50 with fresh weights, which cost what trained ones cost. Methods take turns; figures are
of processor time, with all threads in it, and a forward pass is one of the network as it is in PyTorch.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.prediction import BATCH_SIZE
from resnetkit.explanation.methods import METHODS
from resnetkit.explanation.subject import Question, Subject
from resnetkit.images.spec import Preprocessing
from resnetkit.inference.conditions import find_conditions
from resnetkit.inference.engine_choice import open_engine
from resnetkit.models.plan import map_names
from resnetkit.models.resnet import create_model

NUM_ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    torch.manual_seed(0)
    network = create_model("resnet50")
    names = tuple(map(str, range(network.fc.out_features)))
    classifier = Classifier(network, Preprocessing(224, 256), names)
    engine = open_engine(classifier, find_conditions(batch_size=BATCH_SIZE, device="cpu"), tell=print)
    subject = Subject.of(classifier, engine)
    question = Question(1, None, map_names(network.spec)[-1])
    pixels = np.random.default_rng(0).integers(0, 256, (3, 224, 224), np.uint8)
    works: dict[str, Callable[[], object]] = {"a forward pass": lambda: subject.logits(pixels)}
    for method in METHODS.values():
        works[method.title] = lambda method=method: method.compute(subject, question, pixels)
    taken: dict[str, list[float]] = {name: [] for name in works}
    for name in ("a forward pass", "Grad-CAM"):
        works[name]()  # what is set up at the first call
    for _ in range(NUM_ROUNDS):
        for name, work in works.items():
            taken[name].append(seconds(work))
    once = statistics.median(taken["a forward pass"])
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}")
    print("| method | processor seconds, median (lowest to highest) | forward passes |")
    print("| --- | ---: | ---: |")
    for name, values in taken.items():
        middle = statistics.median(values)
        print(f"| {name} | {middle:.2f} ({min(values):.2f} to {max(values):.2f}) | {middle / once:.1f} |")


if __name__ == "__main__":
    main()
