"""Turn what a caller may give as an image into what decoding takes: a path, a file's bytes, or an image of Pillow's.

No torch here: a tensor is known by what it can do.
"""

from __future__ import annotations

import os
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.images.types import UInt8Images

KINDS = (
    "paths, bytes of image files, open binary files, PIL images, uint8 arrays (H, W) or (H, W, 3), or uint8 tensors "
    "(H, W) or (3, H, W)"
)


class TensorLike(Protocol):
    """Tensors of torch's, as far as they are used."""

    dtype: Any
    shape: tuple[int, ...]

    def detach(self) -> Any:
        """The tensor without its history."""
        ...

    def numpy(self) -> Any:
        """The tensor's values as an array."""
        ...


ImageInput = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | npt.NDArray[np.uint8] | TensorLike
Decodable = str | os.PathLike[str] | bytes | Image.Image


def take_image(image: object) -> Decodable:
    """An image in a form that can be decoded; of an open file, all of its content.

    Raises:
        ResnetkitError: for what is no image, or an array or tensor of another shape or kind.
    """
    if isinstance(image, str | os.PathLike | bytes | Image.Image):
        return image
    if isinstance(image, bytearray | memoryview):
        return bytes(image)
    if isinstance(image, np.ndarray):
        return Image.fromarray(_checked_array(image))
    if _is_tensor(image):
        return Image.fromarray(_array_of_tensor(image))
    if callable(getattr(image, "read", None)):
        return _content_of_file(image)
    raise _refused(f"an image was expected, got {_called(image)}", f"give {KINDS}")


def take_images(images: Any) -> UInt8Images | list[Decodable]:
    """Several images in a form that can be decoded: pixels uint8 ``(N, H, W)`` or ``(N, H, W, 3)`` of an array of them,
    else what :func:`take_image` makes of each.

    In an array, uint8 values are taken as they are, and floats are shares of white in [0, 1]. What other values mean is
    not guessed.

    Raises:
        ResnetkitError: for what are no images, and for an array whose values or axes could mean several things.
    """
    if isinstance(images, np.ndarray) and images.ndim == 1:
        images = images.tolist()
    elif isinstance(images, np.ndarray) or getattr(images, "ndim", 0) == 2:  # tables and sparse matrices too
        return _taken_array(images)
    check_are_several(images)
    return [take_image(image) for image in images]


def _taken_array(images: Any) -> UInt8Images:
    what = f"an array of images was expected, got {getattr(images, 'dtype', 'values')} {images.shape}"
    fix = "give (N, height, width) or (N, height, width, 3)"
    if images.ndim == 2:
        raise _refused(what, f"{fix}: X.reshape(len(X), height, width)")
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3) or 0 in images.shape[1:]:
        raise _refused(what, f"{fix}, red, green and blue last")
    if images.dtype == np.uint8:
        return images  # type: ignore[no-any-return]
    if images.dtype.kind != "f":
        raise _refused(
            f"an array of images must be of uint8, or of floats in [0, 1], got {images.dtype}",
            "where values go from 0 to 255: .astype('uint8'); else divide by the value that is white",
        )
    low, high = (float(images.min()), float(images.max())) if len(images) else (0.0, 0.0)
    if np.isnan(low):
        raise _refused("an array of images has values that are missing (NaN)", "fill them, or leave these images out")
    if not 0 <= low <= high <= 1:
        raise _refused(
            f"an array of images in floats must have values in [0, 1], got {low:g} to {high:g}",
            "divide by the value that is white, e.g. X / 255",
        )
    return (images * 255 + 0.5).astype(np.uint8)  # type: ignore[no-any-return]


def check_are_several(images: object) -> None:
    """Refuse one image where several are expected: it could be taken apart, a text into its letters, an array into its
    rows, which look like grey images.

    Raises:
        ResnetkitError: for one image, or what holds none.
    """
    is_one = isinstance(images, str | os.PathLike | bytes | bytearray | memoryview | Image.Image)
    is_one = is_one or (isinstance(images, np.ndarray) and _is_shaped_as_image(images))
    is_one = is_one or (_is_tensor(images) and _is_tensor_of_image(images)) or hasattr(images, "read")
    require(not is_one, "one image was given where several are expected", fix="give a list: [image]")
    if not hasattr(images, "__iter__"):  # what it is called is long in the making for many images
        raise ResnetkitError(Code.USAGE, f"images were expected, got {_called(images)}", fix=f"give a list of {KINDS}")


def name_of(number: int, image: object) -> str:
    """Name of an image: its path, or its position in the input."""
    return str(image) if isinstance(image, str | os.PathLike) else str(number)


def _checked_array(array: npt.NDArray[Any]) -> UInt8Images:
    if array.dtype != np.uint8 or not _is_shaped_as_image(array):
        raise _refused(
            f"an image array must be uint8 (H, W) or (H, W, 3), got {array.dtype} {array.shape}",
            "channels last, red, green and blue only; scale to 0..255 and convert with .astype('uint8')",
        )
    return array


def _is_shaped_as_image(array: npt.NDArray[Any]) -> bool:
    return array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)


def _is_tensor(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("detach", "numpy", "shape", "dtype"))


def _is_tensor_of_image(tensor: Any) -> bool:
    return len(tensor.shape) == 2 or (len(tensor.shape) == 3 and tensor.shape[0] in (1, 3))


def _array_of_tensor(tensor: Any) -> UInt8Images:
    if str(tensor.dtype) != "torch.uint8" or not _is_tensor_of_image(tensor):
        raise _refused(
            f"an image tensor must be uint8 (H, W), (1, H, W) or (3, H, W), got {tensor.dtype} {tuple(tensor.shape)}",
            "channels first, not normalised; scale to 0..255 and convert with .to(torch.uint8)",
        )
    values: UInt8Images = tensor.detach().cpu().numpy()
    if values.ndim == 2:
        return values
    return values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0))


def _content_of_file(file: Any) -> bytes:
    """All that is in an open file, wherever it was read up to."""
    if hasattr(file, "seekable") and file.seekable():
        file.seek(0)
    content = file.read()
    if not isinstance(content, bytes):
        raise _refused(f"an open file of images must be binary, got {_called(file)}", "open it with open(path, 'rb')")
    return content


def _called(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:40] + '…'}" if value is not None else "None"


def _refused(what: str, fix: str) -> ResnetkitError:
    return ResnetkitError(Code.DATA, what, fix=fix)
