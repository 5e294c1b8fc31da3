"""Claim: training is faster here, and takes less memory, than what a user would pick instead.

    .venv/bin/python benchmarks/training.py --write benchmarks/training.md

Needs ``pip install -e '.[bench]'``. Ours is the loop that ``resnetkit train`` runs, with its recipe: reading the batch,
augmentation, network, loss, update, average. The images are made up, 60,000 or 50,000 of them as in Fashion-MNIST and
CIFAR-10: what they show changes no speed. What happens once an epoch (validation, checkpoints) is in no round.
"""

import importlib
import operator
import os
import sys
import time
import warnings
from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from interleaved import Comparison, Contestant, Round, main

Arrays = tuple[np.ndarray, np.ndarray]
FASHION, CIFAR = (60_000, 1, 28), (50_000, 3, 32)
FASHION_STEPS, CIFAR_STEPS = 80, 20  # in a round
FASHION_BATCH, CIFAR_BATCH = 32, 128
IN_FP32 = {"runtime.precision": "fp32"}
NUM_PARAMETERS = {"tutorial_preact": 174_874, "resnet20": 269_722}


def made_up(num_images: int, channels: int, side: int, *, channels_last: bool = False) -> Arrays:
    """Images uint8 ``(N, C, H, W)``, or ``(N, H, W, C)``, and labels of ten classes."""
    draw = np.random.default_rng(0)
    shape = (side, side, channels) if channels_last else (channels, side, side)
    return draw.integers(0, 256, (num_images, *shape), np.uint8), draw.integers(0, 10, num_images)


# --- ours ---


def ours(model: str, recipe: str, shape: tuple[int, int, int], num_steps: int, settings: dict[str, Any]) -> Round:
    """The project's own steps, with a recipe as ``resnetkit train`` chooses it for the data set."""
    from resnetkit.benchmarking.workloads import TrainingWork
    from resnetkit.data.datasets import DATASETS
    from resnetkit.data.spec import DataSpec
    from resnetkit.data.types import LoadedData, Split
    from resnetkit.images.types import ArrayImages
    from resnetkit.recipes.advice import DataSummary, choose
    from resnetkit.training.computing import start_computing
    from resnetkit.training.state import new_network, new_state

    num_images, channels, side = shape
    name = "cifar10" if channels == 3 else "fashion_mnist"
    if os.environ.get("ONEDNN_MAX_CPU_ISA") == "AVX2":  # auto asks what the processor has, not what it may use
        settings = {"runtime.precision": "fp32", **settings}
    summary = DataSummary.of(replace(DATASETS[name], image_size_px=side), num_images)
    chosen = choose(summary, DataSpec(name), model=model, recipe=recipe, settings=settings).recipe
    computing = start_computing(chosen, num_images)
    how = computing.as_dict()
    print(f"ours: {model} in {how['precision']}, {'' if how['compile'] else 'not '}compiled", file=sys.stderr)
    pixels, labels = made_up(*shape)
    names = [str(number) for number in range(num_images)]
    split = Split(
        "train", ArrayImages(pixels), labels, names, np.ones(num_images, np.float32), np.zeros(num_images, np.uint64)
    )
    data = LoadedData(tuple("0123456789"), {"train": split}, fingerprint="")
    state = new_state(chosen, new_network(chosen), computing.device)
    if model in NUM_PARAMETERS:
        check_parameters(model, sum(p.numel() for p in state.network.parameters()))
    work = TrainingWork(chosen, state, data, computing)

    def do_round() -> float:
        work(num_steps)
        return num_steps * chosen.batch_size

    return do_round


def check_parameters(model: str, count: int) -> None:
    if count != NUM_PARAMETERS[model]:
        raise SystemExit(f"the networks differ: {count:,} parameters, {model} has {NUM_PARAMETERS[model]:,}")


# --- the tutorial's network in Keras ---


def keras_fit() -> Round:
    """As the tutorial trains: functional model, ``compile``, ``fit`` with shuffling."""
    import keras

    images, labels = made_up(*FASHION, channels_last=True)
    images = images.astype("float32") / 255
    model = keras_network(keras)
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    check_parameters("tutorial_preact", trainable)
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    draw, num_images = np.random.default_rng(1), FASHION_STEPS * FASHION_BATCH

    def do_round() -> float:
        start = int(draw.integers(0, len(images) - num_images))
        some = slice(start, start + num_images)
        model.fit(images[some], labels[some], batch_size=FASHION_BATCH, epochs=1, shuffle=True, verbose=0)
        return num_images

    return do_round


def keras_network(keras: ModuleType) -> Any:
    """Pre-activation [2, 2, 2] with widths 16, 32, 64; projections have a norm and an activation of their own."""
    layers = keras.layers

    def conv(x: Any, width: int, kernel: int, stride: int = 1) -> Any:
        return layers.Conv2D(width, kernel, stride, padding="same", use_bias=False)(x)

    def norm_relu(x: Any) -> Any:
        return layers.Activation("relu")(layers.BatchNormalization()(x))

    inputs = keras.Input((28, 28, 1))
    x = conv(inputs, 16, 3)
    for stage, width in enumerate((16, 32, 64)):
        for number in range(2):
            stride = 2 if stage > 0 and number == 0 else 1
            skip = conv(norm_relu(x), width, 1, stride) if stride > 1 else x
            x = conv(norm_relu(x), width, 3, stride)
            x = layers.Add()([conv(norm_relu(x), width, 3), skip])
    x = layers.GlobalAveragePooling2D()(norm_relu(x))
    return keras.Model(inputs, layers.Dense(10)(x))


# --- CIFAR-10 as it is mostly written in PyTorch ---


def torchvision_loop(num_workers: int) -> Round:
    """Dataset of PIL images, transforms per image, DataLoader, channels first, SGD."""
    import torch
    from PIL import Image
    from torch.nn import functional as F
    from torch.utils.data import DataLoader, Dataset, RandomSampler

    transforms = import_transforms()
    pixels, all_labels = made_up(*CIFAR, channels_last=True)
    transform = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
        ]
    )

    class Cifar(Dataset):
        def __len__(self) -> int:
            return len(pixels)

        def __getitem__(self, index: int) -> tuple[Any, int]:
            return transform(Image.fromarray(pixels[index])), int(all_labels[index])

    data, num_images = Cifar(), CIFAR_STEPS * CIFAR_BATCH
    loader = DataLoader(
        data, CIFAR_BATCH, sampler=RandomSampler(data, num_samples=num_images), num_workers=num_workers, drop_last=True
    )
    network = plain_resnet20()
    check_parameters("resnet20", sum(p.numel() for p in network.parameters()))
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-6, momentum=0.9, weight_decay=1e-4)
    network.train()

    def do_round() -> float:
        for images, labels in loader:
            loss = F.cross_entropy(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return num_images

    return do_round


def import_transforms() -> ModuleType:
    """torchvision's transforms, also beside a torch that its compiled operators were not built for."""
    try:
        return importlib.import_module("torchvision.transforms")
    except RuntimeError:
        import torch

        operators = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):  # importing it asks for these two, which no transform calls
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        kept.append(operators)
        return importlib.import_module("torchvision.transforms")


kept: list[object] = []  # operators live as long as their library


def plain_resnet20() -> Any:
    """arXiv:1512.03385, Section 4.2, n = 3, with option A: strided and zero-padded skips."""
    import torch
    from torch import Tensor, nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self, channels: int, width: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.stride, self.more = stride, width - channels

        def forward(self, x: Tensor) -> Tensor:
            out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            if self.stride > 1:
                x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))
            return F.relu(out + x)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
            sizes = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
            self.blocks = nn.Sequential(*(Block(*size) for size in sizes))
            self.linear = nn.Linear(64, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = self.blocks(F.relu(self.bn1(self.conv1(x))))
            return self.linear(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))

    return Network()


# --- the machine's peak ---


def gigaflops_of_training(model: str, batch_size: int, num_steps: int, settings: dict[str, Any]) -> Round:
    """Ours, in operations: 2 × multiply-adds forward, three times that in training."""
    from resnetkit.anatomy.cost import count_cost
    from resnetkit.config import override
    from resnetkit.models.catalog import find_entry

    changes = {path.removeprefix("model."): value for path, value in settings.items()}
    spec = override(find_entry(model).spec, changes)
    multiply_adds = count_cost(spec, CIFAR[2]).multiply_adds
    more = {**IN_FP32, "batch_size": batch_size, "ema_decay": 0.0}
    do_steps = ours(model, "small_images", CIFAR, num_steps, {**settings, **more})
    return lambda: do_steps() * 6 * multiply_adds / 1e9


def gigaflops_of_products() -> Round:
    """Products of square fp32 matrices, of the side that this machine multiplies fastest."""
    import torch

    sides = (512, 768, 1024, 2048)
    pairs = {side: (torch.randn(side, side), torch.randn(side, side)) for side in sides}

    def speed(side: int, seconds: float) -> tuple[float, float]:
        """Operations and the seconds they took."""
        out, count, started = torch.empty(side, side), 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            torch.mm(*pairs[side], out=out)
            count += 1
        return 2 * side**3 * count, time.perf_counter() - started

    best = max(sides, key=lambda side: operator.truediv(*speed(side, 0.5)))
    return lambda: speed(best, 2.0)[0] / 1e9


def of_peak(
    name: str, widths: str, model: str, batch_size: int, num_steps: int, settings: dict[str, Any]
) -> Comparison:
    train = partial(gigaflops_of_training, model, batch_size, num_steps, settings)
    return Comparison(
        name,
        f"Share of the machine's peak, widths {widths}",
        f"`{model}` with widths {widths} at 32 px, batch {batch_size}, recipe `small_images` without averaging, in "
        "operations per second: 2 × multiply-adds forward, three times that for a training step (norms, additions, "
        "augmentation and the update count for nothing). The peak is what products of fp32 matrices reach.",
        (
            Contestant("resnetkit", train, ("torch", "resnetkit")),
            Contestant("fp32 matrix products", gigaflops_of_products, ("torch",)),
        ),
        unit="GFLOP/s",
    )


COMPARISONS = (
    Comparison(
        "tutorial",
        "The tutorial's network on Fashion-MNIST",
        "Pre-activation [2, 2, 2] with widths 16, 32, 64 (174,874 parameters), 28 × 28 grey images, batch 32, Adam at "
        "1e-3. Ours: recipe `tutorial_adam`, which averages the weights besides, computing as `train` chooses for this "
        "machine, and in fp32 as Keras does. Keras: `Model.fit` with shuffling.",
        (
            Contestant(
                "resnetkit",
                partial(ours, "tutorial_preact", "tutorial_adam", FASHION, FASHION_STEPS, {}),
                ("torch", "resnetkit"),
            ),
            Contestant(
                "resnetkit in fp32",
                partial(ours, "tutorial_preact", "tutorial_adam", FASHION, FASHION_STEPS, IN_FP32),
                isas=("native",),
            ),
            Contestant("Keras, TensorFlow", keras_fit, ("keras", "tensorflow_cpu"), {"KERAS_BACKEND": "tensorflow"}),
            Contestant("Keras, torch", keras_fit, ("keras", "torch"), {"KERAS_BACKEND": "torch"}),
        ),
    ),
    Comparison(
        "cifar",
        "ResNet-20 on CIFAR-10",
        "ResNet-20 with option A (269,722 parameters), 32 × 32 colour images, batch 128, SGD with momentum; padding by "
        "4, random crop and flip on both sides. Ours: recipe `cifar_paper`, computing as `train` chooses for this "
        "machine (long runs are compiled), in fp32 as theirs, and not compiled, for less memory. Theirs: torchvision "
        "transforms of PIL images in a DataLoader with 0 or 2 worker processes (whose memory is not counted), "
        "channels first.",
        (
            Contestant(
                "resnetkit", partial(ours, "resnet20", "cifar_paper", CIFAR, CIFAR_STEPS, {}), ("torch", "resnetkit")
            ),
            Contestant(
                "resnetkit in fp32",
                partial(ours, "resnet20", "cifar_paper", CIFAR, CIFAR_STEPS, IN_FP32),
                isas=("native",),
            ),
            Contestant(
                "resnetkit, not compiled",
                partial(ours, "resnet20", "cifar_paper", CIFAR, CIFAR_STEPS, {"runtime.compile": "off"}),
            ),
            Contestant("torchvision, 0 workers", partial(torchvision_loop, 0), ("torch", "torchvision", "pillow")),
            Contestant("torchvision, 2 workers", partial(torchvision_loop, 2), ("torch", "torchvision", "pillow")),
        ),
    ),
    of_peak("width32", "32 to 128", "resnet20_b", 128, 6, {"model.widths": [32, 64, 128], "model.stem.widths": [32]}),
    of_peak("width64", "64 to 512", "cifar_resnet18", 64, 2, {}),
)

if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main(__file__, COMPARISONS)
