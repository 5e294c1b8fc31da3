"""Randomness as a function: the same (seed, epoch, sample, purpose) always draws the same numbers.

A counter-based generator (Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011)
turns a key and a counter into four random words. No state is kept, so a resumed run, another number of worker
processes or another number of ranks draws the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Purpose(IntEnum):
    """Purposes of draws; two purposes never share numbers. Values are part of every run's result: only append."""

    ORDER = 0
    CROP = 1
    FLIP = 2
    COLOR = 3
    ERASE = 4
    MIX = 5
    LAYERS = 6
    INITIAL_WEIGHTS = 7
    DIRECTION = 8
    NOISE = 9
    MASKS = 10
    FIRST_LOOK = 11


_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_KEY_STEPS = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def philox(counter: tuple[npt.NDArray[np.uint64], ...], key: tuple[int, int]) -> npt.NDArray[np.uint64]:
    """Philox4x32-10 over arrays of counters: four words of 32 bits, ``(..., 4)``.

    >>> zero = np.zeros((), np.uint64)
    >>> [f"{word:08x}" for word in philox((zero, zero, zero, zero), (0, 0))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    for _ in range(10):
        product0, product1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> _SHIFT) ^ c1 ^ k0,
            product1 & _LOW,
            (product0 >> _SHIFT) ^ c3 ^ k1,
            product0 & _LOW,
        )
        k0, k1 = (k0 + _KEY_STEPS[0]) & _LOW, (k1 + _KEY_STEPS[1]) & _LOW
    return np.stack(np.broadcast_arrays(c0, c1, c2, c3), axis=-1)


def uniform(seed: int, epoch: int, indices: npt.NDArray[np.int64], purpose: Purpose, num_draws: int) -> Floats:
    """Even draws in [0, 1), ``(n, num_draws)``: row i depends on ``indices[i]`` alone, not on its neighbours.

    >>> both = uniform(7, 0, np.array([3, 5]), Purpose.FLIP, 2)
    >>> bool((both[1] == uniform(7, 0, np.array([5]), Purpose.FLIP, 2)[0]).all())
    True
    """
    return uniform_each(seed, epoch, indices, (purpose,), num_draws)[:, 0]


def uniform_each(
    seed: int, epoch: int, indices: npt.NDArray[np.int64], purposes: Sequence[Purpose], num_draws: int
) -> Floats:
    """Draw as :func:`uniform` does for each of some purposes, ``(n, number of purposes, num_draws)``, in one go."""
    num_blocks = -(-num_draws // 2)  # four words make two draws of 53 bits
    sample = indices.astype(np.uint64)[:, None, None]
    block = np.arange(num_blocks, dtype=np.uint64)[None, None, :]
    counter = (
        sample & _LOW,
        (sample >> _SHIFT) | (block << np.uint64(16)),
        np.full((1, 1, 1), epoch, np.uint64),
        np.array(purposes, np.uint64)[None, :, None],
    )
    words = philox(counter, (seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF))
    high, low = words[..., 0::2] >> np.uint64(5), words[..., 1::2] >> np.uint64(6)
    draws = (high * np.uint64(2**26) + low) / 2.0**53
    return draws.reshape(len(indices), len(purposes), 2 * num_blocks)[..., :num_draws]


def permutation(seed: int, epoch: int, num_images: int) -> npt.NDArray[np.int64]:
    """The order of one epoch: every index once."""
    draws = uniform(seed, epoch, np.arange(num_images), Purpose.ORDER, 1)[:, 0]
    return np.argsort(draws, kind="stable")


def derive_seed(seed: int, step: int, purpose: Purpose) -> int:
    """A 63-bit seed for a library's own generator, e.g. torch's for dropout in one step."""
    words = philox(
        (np.uint64(step & 0xFFFFFFFF), np.uint64(step >> 32), np.uint64(0), np.uint64(purpose)),  # type: ignore[arg-type]
        (seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF),
    )
    return int(words[0]) << 31 ^ int(words[1])
