"""Two pictures laid over one another: by where one shows what the other shows, and how much of it agrees there.

First a place is looked for among scales and offsets, mirrored and not, by the correlation of what is left of small
pictures without their slow changes of brightness (a Fourier transform gives it for all offsets at once). From there
an affine map is fitted by least squares (Lucas and Kanade 1981; weights of Cauchy's, so that words written over one of
them do not pull at it). What counts is then a share: of the places where there is anything to see, those around which
both pictures look the same. It hardly changes with brightness, and hardly anything but the same picture
reaches half (benchmarks/trust.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import fft
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter

from resnetkit.images.types import UInt8Images

Plane = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

READ_PX = 128  # of the longer side: enough for pictures four times as long as wide
SEARCHED_PX, FITTED_PX, LEAST_PX = (
    32,
    64,
    8,
)  # of a square of the same area: both pictures are made as large as each other
SLOW_PX = 3.0  # standard deviation, in a searched picture, of the blur that is taken off
STRENGTH, FAINT = 16.0, 3.0  # that detail is brought to, in grey levels; much fainter detail stays faint
SCALES = 1.075 ** np.arange(-4.0, 5.0)  # of one picture to the other: 0.75 to 1.34
LEAST_SHARED = 0.45  # of either picture, in the other one
LEAST_CORRELATION = 0.36  # of what the search finds: below, no fit is tried
MOST_STEPS, SMALL_STEP_PX = 12, 0.02
FINEST_PX, FINE_PX = 0.7, 1.5  # standard deviations of the two blurs between which detail is compared
WINDOW_PX, SAME_CORRELATION = 9, 0.8  # around a place, and what makes it look the same there
MOSTLY = 0.7  # of a window, in both pictures
LEAST_DETAIL, LEAST_SEEN = 1.5, 0.1  # grey levels; of what both show: with less to see in it, nothing is said


@dataclass(frozen=True)
class Overlay:
    """Two pictures, laid over one another.

    Attributes:
        agreement: of the places with anything to see in what both show, the share around which they look the same.
        shared: the share of the first picture, and of the second, that the other one shows.
        is_mirrored: True where one of them is the mirror image.
    """

    agreement: float
    shared: tuple[float, float]
    is_mirrored: bool


def shrink(pixels: UInt8Images) -> UInt8Images:
    """A picture uint8 ``(H, W)`` or ``(H, W, 3)`` in grey, in its own shape, as large as all that are compared."""
    return _resized(Image.fromarray(pixels).convert("L"), FITTED_PX)


@dataclass(frozen=True)
class _Place:
    """The upper left corner of the other picture, scaled, in one of them, in pixels of the search."""

    scale: float
    is_mirrored: bool
    top: int
    left: int


def lay_over(one: UInt8Images, other: UInt8Images) -> Overlay | None:
    """The second picture over the first, both of :func:`shrink`; None where no place is found, or little is seen."""
    place = _search(one, other)
    if place is None:
        return None
    still, moved = (picture.astype(np.float32) for picture in (one, other[:, ::-1] if place.is_mirrored else other))
    matrix = _fit(still, moved, _as_matrix(place, still))
    if matrix is None:
        return None
    at = _positions(still, matrix)
    inside = _inside(at, moved, 0.5)
    zoom = abs(np.linalg.det(matrix[:, :2])) / FITTED_PX**2
    shared = (float(inside.mean()), float(min(1.0, inside.sum() * zoom / moved.size)))
    if min(shared) < LEAST_SHARED:
        return None
    laid = map_coordinates(moved, at, order=1, mode="nearest")
    agreement = _agreement(still, laid, inside)
    return None if agreement is None else Overlay(agreement, shared, place.is_mirrored)


def _search(one: UInt8Images, other: UInt8Images) -> _Place | None:
    """The place with the highest correlation of all where both share enough."""
    still = _resized(_searched_detail(one), SEARCHED_PX)
    detail = _searched_detail(other)
    scaled = [_resized(detail, SEARCHED_PX * scale) for scale in SCALES]
    moved = [plane for each in scaled for plane in (each, each[:, ::-1])]
    rows, columns = (
        fft.next_fast_len(still.shape[axis] + max(plane.shape[axis] for plane in moved), real=True) for axis in (0, 1)
    )
    own = _spectra([still], rows, columns)[0]
    others = np.conj(_spectra(moved, rows, columns))
    products = [own[0] * others[:, 0], own[1] * others[:, 2], own[2] * others[:, 1], own[2] * others[:, 2]]
    both, ones, twos, areas = fft.irfft2(np.stack(products), (rows, columns))
    smaller = np.array([min(plane.size, still.size) for plane in moved])[:, None, None]
    is_open = (areas > LEAST_SHARED * smaller) & (np.minimum(ones, twos) > areas)
    correlations = np.where(is_open, both / np.sqrt(np.maximum(ones * twos, 1.0)), -1.0)
    best, top, left = map(int, np.unravel_index(correlations.argmax(), correlations.shape))
    if correlations[best, top, left] < LEAST_CORRELATION:
        return None
    top, left = top if top < still.shape[0] else top - rows, left if left < still.shape[1] else left - columns
    return _Place(float(SCALES[best // 2]), best % 2 == 1, top, left)


def _resized(image: Image.Image, side: float) -> npt.NDArray[Any]:
    """An image in its own shape, with the area of a square of that side."""
    factor = side / (image.width * image.height) ** 0.5
    size = (max(LEAST_PX, round(image.width * factor)), max(LEAST_PX, round(image.height * factor)))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def _searched_detail(picture: UInt8Images) -> Image.Image:
    """The detail that a picture is searched by, at the largest of the scales."""
    plane = _resized(Image.fromarray(picture), SEARCHED_PX * SCALES[-1]).astype(np.float32)
    return Image.fromarray(_detail(plane, SLOW_PX * SCALES[-1]))


def _detail(plane: Plane, deviation: float) -> Plane:
    """A picture without its slow changes, the rest as strong everywhere."""
    left = plane - gaussian_filter(plane, deviation, mode="nearest")
    strength = np.sqrt(gaussian_filter(np.square(left), 2 * deviation, mode="nearest"))
    return np.asarray(STRENGTH * left / (strength + FAINT), np.float32)


def _spectra(planes: list[Plane], rows: int, columns: int) -> npt.NDArray[np.complex64]:
    """Fourier transforms of each picture, of its squares, and of where it is, ``(n, 3, rows, columns // 2 + 1)``."""
    padded = np.zeros((len(planes), 3, rows, columns), np.float32)
    for space, plane in zip(padded, planes, strict=True):
        height, width = plane.shape
        space[:, :height, :width] = plane, np.square(plane), np.ones_like(plane)
    spectra: npt.NDArray[np.complex64] = fft.rfft2(padded)
    return spectra


def _as_matrix(place: _Place, still: Plane) -> Matrix:
    """The map ``(2, 3)`` from :func:`_seen_from_middle` of one picture to pixels of the other, when fitted."""
    zoom, ratio = FITTED_PX / place.scale, FITTED_PX / SEARCHED_PX
    middles = [
        (length / 2 / ratio - before) * ratio / place.scale - 0.5
        for length, before in zip(still.shape, (place.top, place.left), strict=True)
    ]
    return np.array([[zoom, 0, middles[0]], [0, zoom, middles[1]]])


def _positions(still: Plane, matrix: Matrix) -> Matrix:
    """The row and the column in the other picture of each pixel, float64 ``(2, h, w)``."""
    at: Matrix = np.einsum("ij,jhw->ihw", matrix, _seen_from_middle(still))
    return at


def _seen_from_middle(plane: Plane) -> Matrix:
    """Row, column and 1 of each pixel ``(3, h, w)``, from the middle, in shares of the side of a square as large."""
    height, width = plane.shape
    rows, columns = np.mgrid[:height, :width]
    return np.stack(
        [(rows - (height - 1) / 2) / FITTED_PX, (columns - (width - 1) / 2) / FITTED_PX, np.ones((height, width))]
    )


def _inside(at: Matrix, plane: Plane, margin: float) -> Mask:
    """Mask ``(h, w)`` of the positions that lie in a picture."""
    last = np.array(plane.shape)[:, None, None] - 1
    return np.asarray(((at >= -margin) & (at <= last + margin)).all(0))


def _fit(still: Plane, moved: Plane, matrix: Matrix) -> Matrix | None:
    """The affine map near that one under which both pictures differ least; None where it is lost on the way."""
    slow = SLOW_PX * FITTED_PX / SEARCHED_PX
    own, others = (_detail(gaussian_filter(plane, 1.0), slow) for plane in (still, moved))
    slopes, seen = np.gradient(others), _seen_from_middle(still)
    for _ in range(MOST_STEPS):
        at = _positions(still, matrix)
        inside = _inside(at, others, 0.0)
        if inside.mean() < LEAST_SHARED / 2:
            return None
        places = at[:, inside]
        there, down, across = (map_coordinates(plane, places, order=1) for plane in (others, *slopes))
        left = own[inside] - there
        weights = 1 / (1 + np.square(left / (2 * np.median(np.abs(left)) + 1e-3)))
        towards = np.concatenate([down * seen[:, inside], across * seen[:, inside]])
        weighted = towards * weights
        step = np.linalg.lstsq(weighted @ towards.T, weighted @ left)[0].reshape(2, 3)
        matrix = matrix + step
        if np.abs(step).max() < SMALL_STEP_PX:
            break
    return matrix


def _agreement(one: Plane, other: Plane, inside: Mask) -> float | None:
    """The share of places that look the same, of those where there is anything to see; None where these are too few.

    Fine detail alone is compared: outlines of two things of one kind often lie over one another, their grain does not.
    """
    one, other = (gaussian_filter(plane, FINEST_PX) - gaussian_filter(plane, FINE_PX) for plane in (one, other))
    known = inside.astype(np.float32)
    weight = uniform_filter(known, WINDOW_PX, mode="constant")

    def mean(plane: Plane) -> Plane:
        return np.asarray(uniform_filter(plane * known, WINDOW_PX, mode="constant") / np.maximum(weight, 1e-3))

    means = mean(one), mean(other)
    spreads = [
        np.sqrt(np.maximum(mean(np.square(plane)) - np.square(middle), 0))
        for plane, middle in zip((one, other), means, strict=True)
    ]
    seen = (weight > MOSTLY) & (np.maximum(*spreads) > LEAST_DETAIL)
    if seen.sum() < LEAST_SEEN * inside.sum():
        return None
    products = np.maximum(spreads[0] * spreads[1], LEAST_DETAIL**2 / 100)
    correlations = (mean(one * other) - means[0] * means[1]) / products
    return float((correlations[seen] >= SAME_CORRELATION).mean())
