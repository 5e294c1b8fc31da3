"""Data and the way from images to a network's input, described as plain data (no torch here)."""

from __future__ import annotations

from typing import Literal

from resnetkit.config import frozen
from resnetkit.errors import require
from resnetkit.folders.layout_option import parse_layout
from resnetkit.images.spec import Limits


@frozen
class DataSpec:
    """Images by their source, the way they are split, and where they are kept while training.

    ``source`` is the name of a data set, or the path of an image folder or of a list of images. A missing validation
    split is carved out of the training images, stratified by class and decided by each image's name and ``split_seed``.

    Attributes:
        layout: what the folders of an image folder are: ``auto`` (read where it is plain, refused where it is not),
            ``classes``, ``splits`` (those whose names stand for train, val and test), or the folders by name, such as
            ``train=fold1,train=fold2,test=fold3``; see :func:`resnetkit.folders.layout_option.parse_layout`.
        label_column: of a list or table of images, the column that names their classes; None: ``label``, or the only
            one there is, or the one with the classes of the classifier that is scored.
        group_by: what tells images of one object: those of a group stay on one side when images are held back, and
            splits that are given are checked for groups that they share. A column of a list, else a regular expression
            for paths, see :func:`resnetkit.data.groups.groups_by`; None: the column ``group`` of a list, if there is
            one, else each image stands for itself.
        validation: ``held_back``: the data's own val split, or images carved out of train; ``test``: the test split, as
            many scripts have it: all of train is trained on, and no score is one of images kept apart.
        num_folds: the training images, or all where nothing is kept apart, are divided into so many folds, by class, by
            each image's name and ``split_seed``; what belongs together (``group_by``, files of the same bytes, given
            images of the same pixels) is in one. A test split of the data's own is left alone. 0: no folds.
        fold: the fold that is the test split, from 0; the others are trained on, and validate as usual.
        max_train_images: train on no more images than this, about the same share of every class, chosen by each image's
            name and ``split_seed``; fewer are among more of them. Groups come whole, but for the last one of a class.
            What validates and tests stays as it is.
        on_doubt: images whose pixels are in two splits, or under two classes, are told of, or stop a training before it
            starts.
        max_memory_bytes: images that need more are read in every epoch, from the cache or, without it, decoded anew.
        num_workers: how many threads decode images when they are loaded, and read ahead for training; validation and
            evaluation read ahead with a number of their own.
        check: ``first``: every image is decoded and checked before training starts; ``lazy``: when it is first needed,
            in every epoch anew, for folders too large to wait for. Evaluation always checks first.
        cache: where the decoded images of a folder are kept, so that another run need not decode them, and what the
            frozen parts of a network make of images: ``auto`` (the user's cache folder, where that took more than
            seconds and the disk has room), ``off``, or a folder.
    """

    source: str
    data_dir: str | None = None
    layout: str = "auto"
    label_column: str | None = None
    group_by: str | None = None
    validation: Literal["held_back", "test"] = "held_back"
    validation_fraction: float = 0.1
    test_fraction: float = 0.15
    split_seed: int = 0
    num_folds: int = 0
    fold: int = 0
    max_train_images: int | None = None
    on_bad_image: Literal["stop", "skip"] = "stop"
    on_doubt: Literal["tell", "stop"] = "tell"
    check: Literal["first", "lazy"] = "first"
    limits: Limits = Limits()
    max_memory_bytes: int = 4 * 2**30
    num_workers: int = 2
    cache: str = "auto"

    def __post_init__(self) -> None:
        for name in ("validation_fraction", "test_fraction"):
            value = getattr(self, name)
            require(0 <= value < 0.9, f"data.{name} must be in [0, 0.9), got {value}")
        require(
            self.max_train_images is None or self.max_train_images >= 1,
            f"data.max_train_images must be at least 1, or null for all, got {self.max_train_images}",
        )
        require(
            self.num_folds == 0 or self.num_folds >= 2,
            f"data.num_folds must be 2 or more, or 0 for none, got {self.num_folds}",
        )
        require(
            0 <= self.fold < max(1, self.num_folds),
            f"data.fold={self.fold} is no fold: there are {self.num_folds}, from 0 (data.num_folds)",
        )
        require(
            not self.num_folds or self.validation == "held_back",
            "data.validation=test has no test split to watch: a fold is the test split (data.num_folds)",
            fix="leave one of them out",
        )
        require(self.num_workers >= 0, f"data.num_workers must be 0 or more, got {self.num_workers}")
        parse_layout(self.layout)
        require(self.group_by != "", "data.group_by must be a pattern or null, got nothing")
        require(
            self.on_doubt == "tell" or self.check == "first",
            "data.on_doubt=stop needs all images to be checked first",
            fix="leave out data.check=lazy, or data.on_doubt=stop",
        )
        require(self.cache != "", "data.cache must be auto, off or a folder, got nothing")


@frozen
class DataAlone:
    """Data with no recipe around them: their fields have the paths that they have in one, ``data.layout``."""

    data: DataSpec


@frozen
class Augmentation:
    """Random changes to training images; a value of 0 (or None) turns one off.

    Attributes:
        pad_px: pad by this many zero pixels and crop back at a random place (arXiv:1512.03385, Sec. 4.2).
        crop_area: range of the crop's share of the image area, resized back (arXiv:1409.4842); None: no such crop.
        crop_aspect: range of the crop's width / height.
        flip_rate: probability of a left-right flip.
        brightness, contrast: largest relative change, drawn evenly from [1 - v, 1 + v].
        erase_rate: probability of a rectangle painted over (arXiv:1708.04896).
        erase_area: range of that rectangle's share of the image area.
        mixup_alpha: Beta parameter of mixup (arXiv:1710.09412).
        cutmix_alpha: Beta parameter of CutMix (arXiv:1905.04899); with both on, each image draws one evenly.
        num_views: an image is changed in so many ways, which come again and again; 0: in each epoch anew. What the
            frozen parts of a network make of each is then computed once.
    """

    pad_px: int = 0
    crop_area: tuple[float, float] | None = None
    crop_aspect: tuple[float, float] = (3 / 4, 4 / 3)
    flip_rate: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    erase_rate: float = 0.0
    erase_area: tuple[float, float] = (0.02, 0.33)
    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    num_views: int = 0

    def __post_init__(self) -> None:
        for name in ("flip_rate", "brightness", "contrast", "erase_rate"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"augmentation.{name} must be in [0, 1], got {value}")
        for name in ("pad_px", "mixup_alpha", "cutmix_alpha", "num_views"):
            value = getattr(self, name)
            require(value >= 0, f"augmentation.{name} must be 0 or more, got {value}")
        for name in ("crop_area", "erase_area"):
            value = getattr(self, name)
            require(
                value is None or 0 < value[0] <= value[1] <= 1,
                f"augmentation.{name} must be (low, high) with 0 < low <= high <= 1, got {value}",
            )
        require(
            0 < self.crop_aspect[0] <= self.crop_aspect[1],
            f"augmentation.crop_aspect must be (low, high) with 0 < low <= high, got {self.crop_aspect}",
        )

    def view(self, epoch: int) -> int:
        """Number of the way in which images are changed in ``epoch`` (from 0).

        >>> [Augmentation(pad_px=1, num_views=2).view(epoch) for epoch in range(4)]
        [0, 1, 0, 1]
        >>> Augmentation(pad_px=1).view(3), Augmentation().view(3)
        (3, 0)
        """
        return epoch % self.num_distinct_views if self.num_distinct_views else epoch

    @property
    def num_distinct_views(self) -> int:
        """Number of ways in which an image can look before it is mixed with others; 0: without end."""
        draws = (self.pad_px, self.crop_area, self.flip_rate, self.brightness, self.contrast, self.erase_rate)
        return self.num_views if any(draws) else 1

    @property
    def mixes(self) -> bool:
        """True where images of a batch are mixed with each other."""
        return self.mixup_alpha > 0 or self.cutmix_alpha > 0
