"""The pipeline from images to answers: order, bounded reading ahead, and a clean end."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from resnetkit.classifier.prediction import Prediction, Predictor
from resnetkit.data.loading import open_data
from resnetkit.data.prepared_images import FolderImages
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.images import prepared_inputs
from resnetkit.images.decoding import Decoded
from resnetkit.images.prepared_inputs import BATCHES_AHEAD
from resnetkit.images.prepared_pixels import prepare_seen
from resnetkit.images.spec import Fit, Limits, Preprocessing

PREPROCESSING = Preprocessing(4, 4, 1, (0.5,), (0.5,))


@dataclass
class Brightness:
    """An engine: the brighter an image, the more probable the second class."""

    name: str = "brightness"
    batches: list[int] = field(default_factory=list)

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        self.batches.append(len(pixels))
        bright = pixels.mean((1, 2, 3)) / 255
        with np.errstate(divide="ignore"):
            return np.log(np.stack([1 - bright, bright], axis=1))[:, None].astype(np.float32)


def predictor(engine: object = None) -> Predictor:
    return Predictor(engine or Brightness(), PREPROCESSING, ("dark", "bright"))  # type: ignore[arg-type]


def shades(folder: Path, number: int) -> list[Path]:
    """Files of which each is brighter than the one before."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{shade:03}.png" for shade in range(number)]
    for shade, path in enumerate(paths):
        Image.new("L", (6, 5), shade * 5).save(path)
    return paths


def brightness_of(row: Prediction) -> float:
    return dict(row.top)["bright"]


def test_rows_come_in_order_however_long_each_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = shades(tmp_path, 20)
    decode = prepared_inputs.decode_for_use

    def slow_at_first(path: Path, *rest: object) -> Decoded:
        time.sleep(0.02 if int(Path(path).stem) % 7 == 0 else 0)
        return decode(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(prepared_inputs, "decode_for_use", slow_at_first)
    rows = predictor().predict(paths, batch_size=3)
    assert [row.source for row in rows] == [str(path) for path in paths]
    assert [brightness_of(row) for row in rows] == pytest.approx([i * 5 / 255 for i in range(20)])


def test_batches_are_as_large_as_asked() -> None:
    engine = Brightness()
    predictor(engine).predict([np.zeros((5, 5), np.uint8)] * 7, batch_size=3)
    assert engine.batches == [3, 3, 1]
    with pytest.raises(ResnetkitError, match="batch_size must be at least 1"):
        predictor().predict([np.zeros((5, 5), np.uint8)], batch_size=0)


def test_for_no_images_nothing_is_computed() -> None:
    engine = Brightness()
    assert predictor(engine).probabilities(np.empty((0, 1, 4, 4), np.uint8)).shape == (0, 2)
    assert predictor(engine).predict_proba([]).shape == (0, 2)
    assert engine.batches == []


def test_little_is_read_ahead_of_a_sequence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    decode = prepared_inputs.decode_for_use

    def counted(path: Path, *rest: object) -> Decoded:
        decoded.append(str(path))
        return decode(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(prepared_inputs, "decode_for_use", counted)
    rows = predictor().iter_predictions(shades(tmp_path, 40), batch_size=2)
    for number in range(1, 11):
        next(rows)
        assert len(decoded) <= number + 1 + (BATCHES_AHEAD + 1) * 2
    rows.close()  # type: ignore[attr-defined]
    assert len(decoded) < 40


def test_an_iterable_is_asked_for_one_batch_at_a_time() -> None:
    given = 0

    def camera() -> Iterator[np.ndarray]:
        nonlocal given
        while True:
            given += 1
            yield np.full((5, 5), given, np.uint8)

    rows = predictor().iter_predictions(camera(), batch_size=1)
    for number in range(1, 5):
        assert next(rows).source == str(number - 1)
        assert given == number


def test_what_has_begun_ends_and_the_rest_is_dropped(tmp_path: Path) -> None:
    class Interrupted(Brightness):
        def logits(self, pixels: np.ndarray) -> np.ndarray:
            raise KeyboardInterrupt

    before = set(threading.enumerate())  # other tests of this process may have left some
    with pytest.raises(KeyboardInterrupt):
        predictor(Interrupted()).predict(shades(tmp_path, 30), batch_size=2)
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("decode")]


def test_one_image_given_twice_is_answered_twice(tmp_path: Path) -> None:
    path = shades(tmp_path, 3)[2]
    with Image.open(path) as image:
        rows = predictor().predict([image] * 20, batch_size=4)
    assert {row.status for row in rows} == {"ok"}
    assert len({row.top for row in rows}) == 1


def test_unreadable_files_are_rows_and_are_not_computed(tmp_path: Path) -> None:
    paths = shades(tmp_path, 4)
    paths[1].write_bytes(b"nothing")
    engine = Brightness()
    rows = predictor(engine).predict(paths, batch_size=2)
    assert [row.status for row in rows] == ["ok", "error", "ok", "ok"]
    assert engine.batches == [1, 2]
    with pytest.raises(ResnetkitError, match=r"001\.png is not a JPEG"):
        predictor().predict_proba(paths)


class Doubtful(Brightness):
    """Of a black image it computes no number."""

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        return np.where(pixels.any((1, 2, 3))[:, None, None], super().logits(pixels), np.float32(np.nan))


def test_an_answer_that_is_no_number_is_a_row_without_a_class(tmp_path: Path) -> None:
    black, grey = predictor(Doubtful()).predict(shades(tmp_path, 2))
    assert (black.status, black.reason) == ("error", "has an answer that is not a number")
    assert (black.class_name, black.probability, black.top) == (None, None, ())
    assert (grey.status, grey.class_name) == ("ok", "dark")


@dataclass
class Recorder(Brightness):
    """Keeps the pixels that it is given."""

    seen: list[np.ndarray] = field(default_factory=list)

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        self.seen.append(pixels)
        return super().logits(pixels)


def test_a_jpeg_is_shrunk_while_decoded_as_it_was_for_training(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    path = tmp_path / "noise.jpg"
    Image.fromarray(noise).save(path, quality=95)
    engine = Recorder()
    for scaling in ("full", "reduced"):
        preprocessing = replace(PREPROCESSING, image_size_px=8, resize_px=8, jpeg_scaling=scaling)
        Predictor(engine, preprocessing, ("dark", "bright")).predict([path])
        folder = FolderImages(str(tmp_path), [path.name], Limits(), prepare_seen, preprocessing)
        np.testing.assert_array_equal(engine.seen[-1], folder.read(np.array([0])))
    assert not np.array_equal(*engine.seen)


KINDS = {
    "8-bit grey": lambda values: values[..., 0].astype(np.uint8),
    "8-bit colour": lambda values: values.astype(np.uint8),
    "16-bit grey": lambda values: values[..., 0].astype(np.uint16) * 4,
}


@pytest.mark.parametrize("fit", ["crop", "squeeze", "pad"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_predicted_on_is_what_is_evaluated_and_trained_on(
    tmp_path: Path, fit: Fit, kind: str, channels: int
) -> None:
    """Long, tall and square files, those of the chosen range; every way to the pixels gives the same ones."""
    for number, size in enumerate([(9, 30), (30, 9), (12, 12), (8, 11)]):
        values = np.random.default_rng(number).integers(0, 256, (*size, 3))
        path = tmp_path / "data" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(KINDS[kind](values)).save(path)
    mean, std = (0.4, 0.5, 0.6)[:channels], (0.2, 0.3, 0.4)[:channels]
    preprocessing = Preprocessing(8, 8, channels, mean, std, fit=fit, white_16bit=1023)
    spec = DataSpec(str(tmp_path / "data"), validation_fraction=0, test_fraction=0, cache=str(tmp_path / "cache"))
    kept = open_data(spec).load(["train"], preprocessing, whole=()).splits["train"]
    cached = open_data(spec).load(["train"], preprocessing, whole=()).splits["train"]
    streamed = open_data(replace(spec, cache="off", max_memory_bytes=0)).load(["train"], preprocessing, whole=())
    engine, everything = Recorder(), np.arange(4)
    files = [tmp_path / "data" / name for name in kept.identifiers]
    predictor = Predictor(engine, preprocessing, ("dark", "bright"))
    predictor.predict(files)
    predictor.predict([Image.open(file) for file in files])
    for images in (kept.images, cached.images, streamed.splits["train"].images):
        for seen in engine.seen:
            np.testing.assert_array_equal(images.read(everything), seen)
    if (
        fit != "crop"
    ):  # whole images are kept for training as they are evaluated, but for the rounding of their resizing
        whole = open_data(replace(spec, cache="off")).load(["train"], preprocessing).splits["train"].images
        assert np.abs(whole.read(everything).astype(int) - engine.seen[0]).max() <= 1


def test_a_brighter_image_than_white_is_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "twelve_bits.png"
    Image.fromarray(np.full((4, 5), 4000, np.uint16)).save(path)
    trained_on_ten = Predictor(Brightness(), replace(PREPROCESSING, white_16bit=1023), ("dark", "bright"))
    (row,) = trained_on_ten.predict([path])
    assert (row.status, row.class_name) == ("error", None)
    assert "16-bit values up to 4,000, brighter than white is here: 1,023" in row.reason


def forms_of(image: Image.Image, path: Path) -> dict[str, object]:
    """One image as all that a caller may have it."""
    buffer = BytesIO()
    image.save(buffer, "PNG")  # which leaves the buffer at its end
    path.write_bytes(buffer.getvalue())
    pixels = np.array(image)
    tensor = torch.from_numpy(pixels if pixels.ndim == 2 else pixels.transpose(2, 0, 1).copy())
    return {
        "path": path,
        "text": str(path),
        "bytes": buffer.getvalue(),
        "bytearray": bytearray(buffer.getvalue()),
        "memory": buffer,
        "open file": open(path, "rb"),
        "pillow": image,
        "array": pixels,
        "tensor": tensor,
        "tensor with one channel first": tensor[None] if tensor.ndim == 2 else tensor,
    }


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_an_image_in_any_form_has_the_same_answer(tmp_path: Path, mode: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    engine = Recorder()
    forms = forms_of(Image.fromarray(noise).convert(mode), tmp_path / "a.png")
    wanted = Preprocessing(4, 4, len(mode), (0.5,) * len(mode), (0.5,) * len(mode))
    rows = Predictor(engine, wanted, ("dark", "bright")).predict([*forms.values(), *forms.values()])  # type: ignore[list-item]
    assert {row.status for row in rows} == {"ok"}
    assert all(np.array_equal(pixels, engine.seen[0][0]) for pixels in engine.seen[0])
    assert [row.source for row in rows[:3]] == [str(tmp_path / "a.png"), str(tmp_path / "a.png"), "2"]


NOT_IMAGES = {
    "a file descriptor": (0, "an image was expected, got int 0"),
    "nothing": (None, "an image was expected, got None"),
    "a number": (1.5, "an image was expected, got float 1.5"),
    "a list": ([1, 2], "an image was expected, got list"),
    "a tensor of floats": (torch.zeros(3, 4, 4), r"got torch.float32 \(3, 4, 4\)"),
    "channels last": (torch.zeros(4, 4, 3, dtype=torch.uint8), r"got torch.uint8 \(4, 4, 3\)"),
    "a batch": (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), r"got torch.uint8 \(2, 3, 4, 4\)"),
    "channels first": (np.zeros((3, 4, 4), np.uint8), r"got uint8 \(3, 4, 4\)"),
    "a text file": (StringIO("hello"), "an open file of images must be binary"),
}


@pytest.mark.parametrize("name", NOT_IMAGES)
def test_what_is_no_image_is_refused_as_what_it_is(name: str) -> None:
    given, expected = NOT_IMAGES[name]
    good = np.zeros((4, 4), np.uint8)
    rows = predictor().iter_predictions([good, given], batch_size=1)  # type: ignore[list-item]
    assert next(rows).status == "ok", "the images before it are answered"
    with pytest.raises(ResnetkitError, match=expected) as raised:
        next(rows)
    assert raised.value.fix


@pytest.mark.parametrize(
    "one", [b"\x89PNG", BytesIO(b"\x89PNG"), torch.zeros(3, 4, 4, dtype=torch.uint8), torch.zeros(4, 4)]
)
def test_one_image_in_place_of_several_is_refused(one: object) -> None:
    with pytest.raises(ResnetkitError, match="one image was given where several are expected"):
        predictor().predict(one)  # type: ignore[arg-type]


@pytest.mark.parametrize("none", [None, 0])
def test_what_holds_no_images_is_refused(none: object) -> None:
    with pytest.raises(ResnetkitError, match="images were expected, got"):
        predictor().predict(none)  # type: ignore[arg-type]


def test_a_batch_of_tensors_is_several_images() -> None:
    rows = predictor().predict(torch.full((3, 1, 5, 5), 255, dtype=torch.uint8))
    assert [brightness_of(row) for row in rows] == [1, 1, 1]


def test_colour_that_a_grey_classifier_does_not_see_is_noted(tmp_path: Path) -> None:
    Image.new("RGB", (5, 5), "teal").save(tmp_path / "teal.png")
    Image.new("RGB", (5, 5), (9, 9, 9)).save(tmp_path / "grey.png")
    Image.new("RGB", (5, 5), "teal").save(tmp_path / "teal.jpg")
    teal, grey, jpeg, opened, plain = predictor().predict(
        [*(tmp_path / name for name in ("teal.png", "grey.png", "teal.jpg")), Image.new("RGB", (5, 5), "teal"),
         Image.new("L", (5, 5), 3)]
    )  # fmt: skip
    assert {row.note for row in (teal, jpeg, opened)} == {"has colour, which the classifier does not see"}
    assert (grey.note, plain.note) == ("", "")
    in_colour = Predictor(Brightness(), Preprocessing(4, 4), ("dark", "bright"))
    assert in_colour.predict([tmp_path / "teal.png"])[0].note == ""
