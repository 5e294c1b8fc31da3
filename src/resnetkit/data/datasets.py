"""The named data sets, as a table: what they hold, which files they need and where those come from.

Every file is known by a hash of its decompressed content, because the same content is packed differently
from place to place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from resnetkit.data import formats
from resnetkit.images.types import Indices, UInt8Images


def _names(words: str) -> tuple[str, ...]:
    return tuple(words.split())


DIGIT_NAMES = _names("0 1 2 3 4 5 6 7 8 9")
FASHION_NAMES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
CIFAR10_NAMES = _names("airplane automobile bird cat deer dog frog horse ship truck")
CIFAR100_NAMES = _names(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
    motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
    poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
    wardrobe whale willow_tree wolf woman worm
    """
)


@dataclass(frozen=True)
class DataFile:
    """A file and the hash of its decompressed content, ``kind:hexadecimal``."""

    name: str
    digest: str


@dataclass(frozen=True)
class NamedData:
    """A data set known by name.

    Attributes:
        mean, std: of each channel over the training images, in [0, 1].
        may_be_mirrored: whether a mirrored image is of the same class; a mirrored digit is another sign.
        files: what each official split is read from.
        read: from the contents of one split's files to pixels ``(N, C, H, W)`` and labels ``(N,)``.
        folders: other names of the folder that holds the files.
        archive: one packed file that holds them all; where there is none, each file is downloaded as ``.gz``.
        mirrors: addresses of the folders to download from, in order.
        hint: another way to get the files.
    """

    name: str
    class_names: tuple[str, ...]
    channels: int
    image_size_px: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    may_be_mirrored: bool
    files: Mapping[str, tuple[DataFile, ...]]
    read: Callable[[str, Sequence[bytes]], tuple[UInt8Images, Indices]]
    folders: tuple[str, ...] = ()
    archive: DataFile | None = None
    mirrors: tuple[str, ...] = ()
    hint: str = ""


def _idx_files(**digests: str) -> dict[str, tuple[DataFile, ...]]:
    def pair(prefix: str, split: str) -> tuple[DataFile, ...]:
        return (
            DataFile(f"{prefix}-images-idx3-ubyte", f"sha256:{digests[split + '_images']}"),
            DataFile(f"{prefix}-labels-idx1-ubyte", f"sha256:{digests[split + '_labels']}"),
        )

    return {"train": pair("train", "train"), "test": pair("t10k", "test")}


DIGITS = NamedData(
    name="digits",
    class_names=DIGIT_NAMES,
    channels=1,
    image_size_px=8,
    mean=(0.3055,),
    std=(0.3763,),
    may_be_mirrored=False,
    files={"train": (), "test": ()},
    read=formats.read_digits,
)
MNIST = NamedData(
    name="mnist",
    class_names=DIGIT_NAMES,
    channels=1,
    image_size_px=28,
    mean=(0.1307,),
    std=(0.3081,),
    may_be_mirrored=False,
    files=_idx_files(
        train_images="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        train_labels="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        test_images="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        test_labels="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    read=formats.read_idx,
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)
FASHION_MNIST = NamedData(
    name="fashion_mnist",
    class_names=FASHION_NAMES,
    channels=1,
    image_size_px=28,
    mean=(0.2860,),
    std=(0.3530,),
    may_be_mirrored=True,
    files=_idx_files(
        train_images="c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        train_labels="bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        test_images="5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        test_labels="0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    read=formats.read_idx,
    folders=("fashion-mnist",),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    hint="on Debian and Ubuntu: apt install dataset-fashion-mnist",
)
CIFAR10 = NamedData(
    name="cifar10",
    class_names=CIFAR10_NAMES,
    channels=3,
    image_size_px=32,
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
    may_be_mirrored=True,
    files={
        "train": (
            DataFile("data_batch_1.bin", "sha256:cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
            DataFile("data_batch_2.bin", "sha256:a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
            DataFile("data_batch_3.bin", "sha256:bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
            DataFile("data_batch_4.bin", "sha256:014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
            DataFile("data_batch_5.bin", "sha256:755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
        ),
        "test": (
            DataFile("test_batch.bin", "sha256:8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
        ),
    },
    read=formats.read_cifar10,
    folders=("cifar-10-batches-bin",),
    archive=DataFile("cifar-10-binary.tar.gz", "md5:c32a1d4ab5d03f1284b67883e8d87530"),
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
)
CIFAR100 = NamedData(
    name="cifar100",
    class_names=CIFAR100_NAMES,
    channels=3,
    image_size_px=32,
    mean=(0.5071, 0.4865, 0.4409),
    std=(0.2673, 0.2564, 0.2762),
    may_be_mirrored=True,
    files={
        "train": (DataFile("train.bin", "md5:6172c7755cfe09b2fe270c85cebc1b15"),),
        "test": (DataFile("test.bin", "md5:4499cfba6c016c1be1438163640a0898"),),
    },
    read=formats.read_cifar100,
    folders=("cifar-100-binary",),
    archive=DataFile("cifar-100-binary.tar.gz", "md5:03b5dce01913d631647c71ecec9e9cb8"),
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
)

DATASETS: dict[str, NamedData] = {data.name: data for data in (DIGITS, MNIST, FASHION_MNIST, CIFAR10, CIFAR100)}
