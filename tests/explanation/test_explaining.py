"""Explaining images: rows, refusals, and where on the image a map lies."""

import threading
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.small_classifiers import SMALL
from tests.small_kinds import KINDS

import resnetkit
from resnetkit.classifier.classifier import Classifier
from resnetkit.errors import ResnetkitError
from resnetkit.explanation.explaining import _map_size, iter_explanations, look_at
from resnetkit.explanation.explanation import Asked, Explanation, lay_on_image
from resnetkit.images.decoding import ORIENTATION_TAG, TRANSPOSE
from resnetkit.images.preprocessing import Window
from resnetkit.images.spec import Fit, Limits, Preprocessing
from resnetkit.models.plan import map_names
from resnetkit.models.resnet import ResNet

Make = Callable[..., Classifier]


def picture(width: int = 20, height: int = 14) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_row_has_all_that_is_shown_of_an_image(make: Make) -> None:
    classifier = make()
    (row,) = resnetkit.explain(classifier, [picture()])
    assert (row.source, row.status, row.reason, row.note) == ("0", "ok", "", "")
    np.testing.assert_array_equal(row.image, picture())
    (answer,) = resnetkit.predict(classifier, [picture()])
    assert [name for name, _ in row.top()] == [name for name, _ in answer.top]
    assert [p for _, p in row.top()] == pytest.approx([p for _, p in answer.top])
    (heat,) = row.maps
    assert (heat.method, heat.layer, heat.class_name, heat.against) == ("grad_cam", "stage2", answer.class_name, None)
    assert (heat.values.shape, heat.values.dtype) == ((16, 16), np.float32)
    laid = row.on_image(heat)
    assert (laid.shape, laid.dtype) == ((14, 20), np.float32)
    assert np.isnan(laid).all(0).tolist() == [True] * 3 + [False] * 14 + [True] * 3
    assert not np.isnan(laid[:, 3:17]).any()


def test_the_map_is_of_the_layer_that_was_asked_for(make: Make) -> None:
    classifier = make()
    (last,), (first,) = (resnetkit.explain(classifier, [picture()], layer=layer) for layer in ("stage2", "stage1"))
    assert (first.maps[0].layer, first.maps[0].grid) == ("stage1", 16)
    assert (last.maps[0].layer, last.maps[0].grid) == ("stage2", 8)
    assert not np.allclose(first.maps[0].values, last.maps[0].values)


def test_an_unreadable_image_is_a_row_with_the_reason(make: Make, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing")
    bad, good = resnetkit.explain(make(), [tmp_path / "a.png", picture()])
    assert (bad.source, bad.status, bad.maps, bad.top()) == (str(tmp_path / "a.png"), "error", (), ())
    assert "is not a JPEG" in bad.reason
    assert good.status == "ok"
    with pytest.raises(ResnetkitError, match="nothing to lay a map on"):
        bad.on_image(good.maps[0])


def test_an_answer_that_is_not_a_number_is_not_explained(make: Make) -> None:
    classifier = make()
    torch.nn.init.constant_(classifier.network.fc.weight, float("nan"))
    (row,) = resnetkit.explain(classifier, [picture()])
    assert (row.status, row.reason) == ("error", "has an answer that is not a number")


@pytest.mark.parametrize(
    ("asked", "what", "fix"),
    [
        (Asked(("grad_kam",)), "unknown method 'grad_kam'", "did you mean 'grad_cam'"),
        (Asked(()), "no method was given", "grad_cam"),
        (Asked(layer="stage9"), "unknown layer 'stage9'", "did you mean 'stage2'"),
        (Asked(layer="layer2"), "unknown layer 'layer2'", "stem, stage1, stage2"),
        (Asked(class_name="class 7"), "unknown class 'class 7'", "did you mean 'class 2'"),
        (Asked(against="dog"), "unknown class 'dog'", "class 0, class 1, class 2"),
        (Asked(class_name="class 1", against="class 1"), "cannot be explained against itself", ""),
    ],
)
def test_what_is_not_there_is_refused_before_weights_are_read(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Asked, what: str, fix: str
) -> None:
    make().save(tmp_path / "a.safetensors")
    monkeypatch.setattr("resnetkit.classifier.classifier.load_classifier", lambda *_, **__: pytest.fail("was read"))
    with pytest.raises(ResnetkitError, match=what) as raised:
        iter_explanations(tmp_path / "a.safetensors", [picture()], asked)
    assert fix in raised.value.fix


def test_a_file_is_explained_as_its_classifier(make: Make, tmp_path: Path) -> None:
    classifier = make()
    classifier.save(tmp_path / "a.safetensors")
    (of_file,), (of_classifier,) = (
        resnetkit.explain(source, [picture()]) for source in (tmp_path / "a.safetensors", classifier)
    )
    assert of_file.class_names == classifier.class_names
    np.testing.assert_allclose(of_file.probabilities, of_classifier.probabilities, rtol=1e-5)
    np.testing.assert_allclose(of_file.maps[0].values, of_classifier.maps[0].values, atol=1e-5)


def test_rows_come_one_by_one(make: Make) -> None:
    given = []

    def images() -> object:
        for number in range(9):
            given.append(number)
            yield picture()

    rows = iter_explanations(make(), images(), Asked())  # type: ignore[arg-type]
    assert given == []
    next(rows)
    assert given == [0]


def test_against_explains_the_difference_and_turns_its_sign(make: Make) -> None:
    classifier = make()
    (plain,) = resnetkit.explain(classifier, [picture()])
    best, second, third = (name for name, _ in plain.top(3))
    (row,) = resnetkit.explain(classifier, [picture()], against=best)
    assert (row.maps[0].class_name, row.maps[0].against) == (second, best), "why the second, rather than the best"
    (row,) = resnetkit.explain(classifier, [picture()], against=third)
    assert (row.maps[0].class_name, row.maps[0].against) == (best, third)
    assert not np.allclose(row.maps[0].values, plain.maps[0].values)


def test_a_colour_image_of_a_grey_classifier_is_shown_in_colour(make: Make) -> None:
    (row,) = resnetkit.explain(make(replace(SMALL, in_channels=1)), [picture()])
    np.testing.assert_array_equal(row.image, picture())
    assert "colour" in row.note
    (row,) = resnetkit.explain(make(replace(SMALL, in_channels=1)), [picture()[..., 0]])
    np.testing.assert_array_equal(row.image, picture()[..., :1].repeat(3, 2))


SIZES = {"landscape": (96, 60), "portrait": (60, 96), "square": (64, 64), "strip": (700, 16), "tall": (12, 300)}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("fit", ["crop", "squeeze", "pad"])
def test_a_patch_found_in_the_square_is_where_it_was_painted(size: tuple[int, int], fit: Fit) -> None:
    check_patch(size, Preprocessing(32, 37, 1, (0.0,), (1.0,), fit=fit))


@pytest.mark.parametrize("orientation", TRANSPOSE)
def test_a_patch_of_an_image_that_is_turned_is_found_too(orientation: int) -> None:
    check_patch((60, 96), Preprocessing(32, 32, 1, (0.0,), (1.0,)), orientation)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_patch_of_a_jpeg_that_is_decoded_small_is_found_too(orientation: int) -> None:
    preprocessing = Preprocessing(32, 37, 1, (0.0,), (1.0,), jpeg_scaling="reduced")
    check_patch((600, 443), preprocessing, orientation, "JPEG")


def check_patch(size: tuple[int, int], preprocessing: Preprocessing, orientation: int = 1, kind: str = "PNG") -> None:
    """Paint a patch off the centre of an upright image, save it turned, and look for it as the network does."""
    width, height = size
    short = min(size)
    x, y, half = width / 2 + short * 0.15, height / 2 - short * 0.2, max(1, short // 10)
    upright = Image.new("L", size, 0)
    upright.paste(255, (round(x - half), round(y - half), round(x + half), round(y + half)))
    back = {
        Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
        Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
    }
    turned = upright
    if orientation > 1:
        turned = upright.transpose(back.get(TRANSPOSE[orientation], TRANSPOSE[orientation]))
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    buffer = BytesIO()
    turned.save(buffer, kind, exif=exif)
    seen = look_at(buffer.getvalue(), preprocessing, Limits())
    assert seen.image.shape == (height, width, 3)
    laid = np.nan_to_num(lay_on_image(seen.pixels[0].astype(np.float32), seen.window, height, width))
    weight = laid * (laid > laid.max() / 2)
    for middle, axis, length, extent in (
        (round(x - half) + round(x + half), 0, width, seen.window.width),
        (round(y - half) + round(y + half), 1, height, seen.window.height),
    ):
        found = (weight.sum(axis) * (np.arange(length) + 0.5)).sum() / weight.sum()
        assert abs(found - middle / 2) < 0.5 * extent / preprocessing.image_size_px + 0.5


def test_maps_are_laid_pixel_by_pixel_where_nothing_is_resized() -> None:
    values = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32)
    laid = lay_on_image(values, Window(2, 1, 6, 6), 9, 8)
    np.testing.assert_allclose(laid[1:7, 2:8], values, atol=1e-6)
    assert np.isnan(laid).sum() == 9 * 8 - 36


def test_threads_explain_with_one_classifier_at_once(make: Make) -> None:
    classifier = make()
    expected = resnetkit.explain(classifier, [picture()])[0].maps[0].values
    found: list[Explanation] = []
    threads = [
        threading.Thread(target=lambda: found.extend(resnetkit.explain(classifier, [picture()]))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for row in found:
        np.testing.assert_array_equal(row.maps[0].values, expected)


@pytest.mark.parametrize("kind", ["small images, option A", "pooling stem", "one channel", "Keras v2"])
def test_the_grid_is_that_of_the_map(kind: str) -> None:
    spec = KINDS[kind]
    network, images = ResNet(spec).eval(), torch.zeros(1, spec.in_channels, 64, 64)
    sides = {layer: network.forward_to(layer, images).shape[-1] for layer in map_names(spec)}
    assert {layer: _map_size(spec, layer, 64) for layer in sides} == sides
