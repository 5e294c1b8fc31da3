"""Claim: random changes to small images cost a fraction here of what transforms of one image at a time cost.

    .venv/bin/python benchmarks/small_images.py --write benchmarks/data.md

Needs ``pip install -e '.[bench]'``. Both sides give batches of 128 images of 32 x 32 as a network takes them: padded by
4, cropped at a random place, flipped at random, float32, normalised, in the main process. The images are made up: what
they show changes no speed.
"""

from functools import partial

import numpy as np
from interleaved import Comparison, Contestant, Round, main

from training import import_transforms

BATCH, SIDE, NUM_IMAGES = 128, 32, 12_800
MEAN, STD = (0.491, 0.482, 0.447), (0.247, 0.243, 0.262)


def made_up() -> np.ndarray:
    """Uint8 ``(N, H, W, C)``."""
    return np.random.default_rng(0).integers(0, 256, (NUM_IMAGES, SIDE, SIDE, 3), np.uint8)


def ours() -> Round:
    from resnetkit.data.augmentation import crop_and_flip
    from resnetkit.data.batches import read_batches, training_order
    from resnetkit.data.spec import Augmentation
    from resnetkit.data.types import Split
    from resnetkit.images.normalization import normalize
    from resnetkit.images.spec import Preprocessing
    from resnetkit.images.types import ArrayImages
    from resnetkit.machine import runtime

    runtime.start("cpu", compile_network="off")  # as `train` sets the process up
    images = ArrayImages(made_up().transpose(0, 3, 1, 2))
    names = [str(number) for number in range(NUM_IMAGES)]
    split = Split(
        "train",
        images,
        np.zeros(NUM_IMAGES, np.int64),
        names,
        np.ones(NUM_IMAGES, np.float32),
        np.zeros(NUM_IMAGES, np.uint64),
    )
    preprocessing = Preprocessing(SIDE, SIDE, mean=MEAN, std=STD)
    augmentation = Augmentation(pad_px=4, flip_rate=0.5)
    epochs = iter(range(10**6))

    def do_round() -> float:
        epoch, num_images = next(epochs), 0
        for batch in read_batches(split, training_order(0, epoch, len(split), BATCH)):
            ratios = split.aspect_ratios[batch.indices]
            crops = crop_and_flip(batch.images, ratios, augmentation, preprocessing, 0, epoch, batch.indices)
            num_images += len(normalize(crops, preprocessing))
        return num_images

    return do_round


def theirs(num_images: int) -> Round:
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader

    transforms = import_transforms()
    transform = transforms.Compose(
        [
            transforms.RandomCrop(SIDE, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )

    class SmallImages(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
        def __init__(self) -> None:
            self.pixels = made_up()[:num_images]

        def __len__(self) -> int:
            return len(self.pixels)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return transform(Image.fromarray(self.pixels[index])), 0

    loader = DataLoader(SmallImages(), batch_size=BATCH, shuffle=True, drop_last=True)
    return lambda: sum(len(images) for images, _ in loader)


COMPARISONS = (
    Comparison(
        "pad_crop",
        "Small images: pad, crop, flip, normalise",
        "Images of 32 x 32 in batches of 128 in the main process.",
        (
            Contestant("resnetkit", ours, ("torch", "numpy")),
            Contestant("torchvision transforms of PIL images", partial(theirs, 2_560), ("torchvision", "pillow")),
        ),
    ),
)


if __name__ == "__main__":
    main(__file__, COMPARISONS)
