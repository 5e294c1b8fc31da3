"""Images known by their pixels: 64 bits for each, wherever and in whatever form its file is."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from resnetkit.images.types import Values

Digests = npt.NDArray[np.uint64]
NOT_MET = np.uint64(0)  # where no digest is known; an image has this one itself with a probability of 2^-64

# Fixed for ever: what a classifier remembers of its images must be found again by later versions.
BLOCK_BYTES = 2048
SHIFT_BYTES = 5
FACTORS = np.frombuffer(hashlib.shake_256(b"resnetkit image digest").digest(BLOCK_BYTES), "<u8")

BYTES_TOGETHER = 56 * BLOCK_BYTES  # room for more would be asked from the system anew for every image


def image_digest(pixels: Values) -> int:
    """64 bits that stand for an image ``(H, W)`` or ``(H, W, 3)``, upright and in its original size.

    The same size and the same values of all pixels give the same digest, others another one. An image whose three
    colours are the same everywhere is the grey image of that colour. Two of a million different images share theirs
    with a probability of one in thirty million.

    BLAKE2b (RFC 7693) of everything would cost a third of what decoding a JPEG does. So each 2 KiB become one sum of
    64-bit words times fixed random factors (multilinear hashing, arXiv:1202.4961), at a fifth of that, and BLAKE2b
    sees the sums, the rest and the size. Such a sum is weak where words differ in their highest byte alone, so every
    byte is first combined with one that has another place in its word.

    >>> grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    >>> image_digest(grey) == image_digest(np.stack([grey] * 3, 2)), image_digest(grey) == image_digest(grey.T)
    (True, False)
    """
    if pixels.ndim == 3 and not has_colour(pixels):
        pixels = pixels[..., 0]
    values = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    content = values.ravel().view(np.uint8)
    num_summed = max(0, len(content) - SHIFT_BYTES) // BLOCK_BYTES * BLOCK_BYTES
    parts = [f"{pixels.itemsize} {pixels.shape} ".encode()]
    for start in range(0, num_summed, BYTES_TOGETHER):
        end = min(start + BYTES_TOGETHER, num_summed)
        mixed = content[start:end] ^ content[start + SHIFT_BYTES : end + SHIFT_BYTES]
        sums = mixed.view("<u8").reshape(-1, len(FACTORS)) @ FACTORS
        parts.append(sums.astype("<u8", copy=False).tobytes())
    parts.append(content[num_summed:].tobytes())
    return int.from_bytes(hashlib.blake2b(b"".join(parts), digest_size=8).digest(), "little")


def has_colour(pixels: Values) -> bool:
    """Tell whether red, green and blue of ``(H, W, 3)`` differ anywhere; of most images in colour, the middle tells."""
    red, green, blue = pixels[len(pixels) // 2, pixels.shape[1] // 2].tolist()
    return not red == green == blue or any(bool((pixels[..., 0] != pixels[..., other]).any()) for other in (1, 2))
