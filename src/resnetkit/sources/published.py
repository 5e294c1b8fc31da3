"""Weight files that others have published: which network, which images, and what they score (no torch here).

A file is known by the first eight hexadecimal digits of its SHA-256, which torch.hub puts into its name; for Keras,
which publishes MD5 sums, by those.
"""

from __future__ import annotations

from dataclasses import dataclass

from resnetkit.images.spec import Preprocessing

# How keras.applications prepares images (its imagenet_utils, modes "caffe" and "tf"); values there are 0 to 255.
KERAS_V1 = Preprocessing(
    224,
    256,
    mean=(103.939 / 255, 116.779 / 255, 123.68 / 255),
    std=(1 / 255, 1 / 255, 1 / 255),
    channel_order="bgr",
)
KERAS_V2 = Preprocessing(224, 256, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
_TORCHVISION_V1 = Preprocessing(224, 256)
_TORCHVISION_V2 = Preprocessing(224, 232)  # https://pytorch.org/blog/how-to-train-state-of-the-art-models
_CIFAR10_WITH_IMAGENETS = Preprocessing(32, 32)
CIFAR10_USUAL = Preprocessing(32, 32, mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010))


@dataclass(frozen=True)
class Published:
    """A published weight file.

    Attributes:
        model: name in the catalog.
        data: the data set whose classes it knows, in that set's order.
        top1: accuracy in [0, 1] that its publisher states, on that set's validation or test images; None: unstated.
    """

    model: str
    origin: str
    data: str
    preprocessing: Preprocessing
    top1: float | None = None


def _torchvision(preprocessing: Preprocessing, rows: str) -> dict[str, Published]:
    table = {}
    for row in rows.strip().splitlines():
        model, digest, top1 = row.split()
        table[digest] = Published(model, "torchvision", "imagenet", preprocessing, float(top1) / 100)
    return table


def _akamaster(rows: str) -> dict[str, Published]:
    table = {}
    for row in rows.strip().splitlines():
        model, digest, error = row.split()
        top1 = round(1 - float(error) / 100, 4)
        table[digest] = Published(
            f"akamaster_{model}",
            "github.com/akamaster/pytorch_resnet_cifar10",
            "cifar10",
            _CIFAR10_WITH_IMAGENETS,
            top1,
        )
    return table


PUBLISHED: dict[str, Published] = {
    # torchvision.models, IMAGENET1K_V1 and _V2: network, digest, top-1 in %
    **_torchvision(
        _TORCHVISION_V1,
        """
        resnet18 f37072fd 69.758
        resnet34 b627a593 73.314
        resnet50 0676ba61 76.13
        resnet101 63fe2227 77.374
        resnet152 394f9c45 78.312
        resnext50_32x4d 7cdf4587 77.618
        resnext101_32x8d 8ba56ff5 79.312
        wide_resnet50_2 95faca4d 78.468
        wide_resnet101_2 32ee1156 78.848
        """,
    ),
    **_torchvision(
        _TORCHVISION_V2,
        """
        resnet50 11ad3fa6 80.858
        resnet101 cd907fc2 81.886
        resnet152 f82ba261 82.284
        resnext50_32x4d 1a0047aa 81.198
        resnext101_32x8d 110c445d 82.834
        resnext101_64x4d 173b62eb 83.246
        wide_resnet50_2 9ba9bcbe 81.602
        wide_resnet101_2 d733dc28 82.51
        """,
    ),
    # network, digest, error in %
    **_akamaster(
        """
        resnet20 12fca82f 8.27
        resnet32 d509ac18 7.37
        resnet44 014dd654 6.90
        resnet56 4bfd9763 6.61
        resnet110 1d1ed7c2 6.32
        resnet1202 f3b1deed 6.18
        """
    ),
    **{
        digest: Published(f"resnet{depth}_b", "github.com/chenyaofo/pytorch-cifar-models", "cifar10", CIFAR10_USUAL)
        for depth, digest in ((20, "4118986f"), (32, "ef93fc4d"), (44, "2a3cabcb"), (56, "187c023a"))
    },
}

# keras.applications.resnet and .resnet_v2, by MD5: with head, without.
_KERAS = {
    "keras_resnet50": ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    "keras_resnet101": ("f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
    "keras_resnet152": ("100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    "keras_resnet50v2": ("3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
    "keras_resnet101v2": ("6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
    "keras_resnet152v2": ("a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"),
}
_KERAS_TOP1 = {"keras_resnet50": 0.749, "keras_resnet50v2": 0.760}  # keras.io/api/applications
PUBLISHED_BY_MD5: dict[str, Published] = {
    digest: Published(
        model,
        "keras.applications",
        "imagenet",
        KERAS_V2 if model.endswith("v2") else KERAS_V1,
        _KERAS_TOP1.get(model) if has_head else None,
    )
    for model, digests in _KERAS.items()
    for digest, has_head in zip(digests, (True, False), strict=True)
}
