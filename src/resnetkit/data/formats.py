"""From the contents of a named data set's files to pixels uint8 ``(N, C, H, W)`` and labels int64 ``(N,)``.

The contents were checked against their hashes, so their structure is asserted, not diagnosed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from resnetkit.data.splitting import split_indices
from resnetkit.images.types import Indices, UInt8Images

DIGITS_TEST_FRACTION = 0.2


def read_idx(split: str, contents: Sequence[bytes]) -> tuple[UInt8Images, Indices]:
    """An IDX file of grey images ``(N, H, W)`` and one of labels ``(N,)``, as MNIST is kept."""
    images, labels = (_idx_array(content) for content in contents)
    assert images.ndim == 3
    assert labels.shape == images.shape[:1]
    return images[:, None], labels.astype(np.int64)


def read_cifar10(split: str, contents: Sequence[bytes]) -> tuple[UInt8Images, Indices]:
    """Records of one label byte and 3072 bytes of red, green and blue planes."""
    return _cifar_records(contents, num_label_bytes=1)


def read_cifar100(split: str, contents: Sequence[bytes]) -> tuple[UInt8Images, Indices]:
    """Records of a coarse label byte, a fine label byte (the one used) and 3072 bytes of planes."""
    return _cifar_records(contents, num_label_bytes=2)


def read_digits(split: str, contents: Sequence[bytes]) -> tuple[UInt8Images, Indices]:
    """The 1,797 scanned digits inside scikit-learn, their 17 grey levels spread over 0..255.

    They come without a test split, so a fifth of every class is set aside by a hash of each image's number.
    """
    from sklearn.datasets import load_digits  # takes a second to import

    values, labels = load_digits(return_X_y=True)
    pixels = np.floor(values * (255 / 16) + 0.5).astype(np.uint8).reshape(-1, 1, 8, 8)
    names = [f"digits/{number}" for number in range(len(labels))]
    positions = split_indices(names, labels, seed=0, test_fraction=DIGITS_TEST_FRACTION)[split]
    return pixels[positions], labels[positions].astype(np.int64)


def _idx_array(content: bytes) -> UInt8Images:
    """Two zero bytes, the type (8: uint8), the number of dimensions, their sizes as big-endian int32, the values."""
    assert content[:3] == b"\0\0\x08"
    num_dimensions = content[3]
    shape = np.frombuffer(content, dtype=">i4", count=num_dimensions, offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * num_dimensions).reshape(tuple(shape))


def _cifar_records(contents: Sequence[bytes], num_label_bytes: int) -> tuple[UInt8Images, Indices]:
    records = np.frombuffer(b"".join(contents), dtype=np.uint8).reshape(-1, num_label_bytes + 3072)
    pixels = records[:, num_label_bytes:].reshape(-1, 3, 32, 32)
    return pixels, records[:, num_label_bytes - 1].astype(np.int64)
