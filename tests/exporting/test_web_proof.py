"""Answers of an exported page in a browser are those of the model with the pixels that Python decodes."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tests.exporting.small_page import browser_path, page_folder, runtime, small_description, small_model
from tests.exporting.small_pictures import picture, readable, saved, unreadable

from resnetkit.errors import ResnetkitError
from resnetkit.exporting import browser, web_page
from resnetkit.exporting.web_page import write_page
from resnetkit.exporting.web_proof import REFUSALS, answer_in_browser
from resnetkit.graphs.runtimes import import_onnxruntime
from resnetkit.images.decoding import decode_pixels
from resnetkit.images.spec import Limits

__all__ = ["browser_path", "page_folder", "runtime"]
SAME = 4e-7


def answer_here(model: bytes, path: Path, channels: int) -> np.ndarray:
    pixels = decode_pixels(path, Limits(), channels)
    session = import_onnxruntime().InferenceSession(model, providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(["probabilities"], {"image": pixels.reshape(*pixels.shape[:2], channels)})
    return np.asarray(probabilities[0])


def written(folder: Path, files: dict[str, bytes]) -> list[Path]:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


@pytest.mark.slow
def test_all_kinds_of_files_get_the_answers_that_their_pixels_get_here(
    page_folder: Path, browser_path: str, tmp_path: Path
) -> None:
    paths = written(tmp_path, dict(readable()))
    where, answers = answer_in_browser(page_folder, paths, browser_path)
    assert where.threads >= 1
    assert "Chrome" in where.browser
    model = small_model()
    expected = [answer_here(model, path, 3) for path in paths]
    apart = {
        path.name: answer.refused or float(np.abs(answer.probabilities - right).max())
        for path, answer, right in zip(paths, answers, expected, strict=True)
    }
    assert not {name: value for name, value in apart.items() if isinstance(value, str) or value > SAME}
    # Each pixel counts, so the same answers mean the same pixels: those of two ways to turn are far apart.
    by_name = dict(zip((path.name for path in paths), expected, strict=True))
    for kind in ("jpg", "webp"):
        ways = np.stack([by_name[f"turned {way}.{kind}"] for way in range(1, 9)])
        distances = np.abs(ways[:, None] - ways).max(axis=2) + np.eye(8)
        assert distances.min() > 1000 * SAME
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(by_name["profile.jpg"], by_name["cmyk.jpg"], atol=SAME)


@pytest.mark.slow
def test_a_grey_network_is_given_the_same_grey_and_what_cannot_be_read_has_its_reason(
    runtime: dict[str, bytes], browser_path: str, tmp_path: Path
) -> None:
    folder, images = tmp_path / "page", tmp_path / "images"
    folder.mkdir()
    images.mkdir()
    (folder / "model.onnx").write_bytes(small_model(channels=1))
    (folder / "classifier.json").write_text(small_description(channels=1, white_16bit=1023))
    write_page(folder, runtime)
    good = written(
        images, {name: readable()[name] for name in ("colours.png", "transparent.png", "444.jpg", "bits.png")}
    )
    refused = {name: reason for name, (_, reason) in unreadable().items()}
    bad = written(images, {name: content for name, (content, _) in unreadable().items()})
    deep = written(images, {"deep grey.png": saved(picture().convert("I;16"), "PNG")})
    _, answers = answer_in_browser(folder, [*good, *bad, *deep], browser_path)
    model = small_model(channels=1)
    for path, answer in zip(good, answers, strict=False):
        np.testing.assert_allclose(answer.probabilities, answer_here(model, path, 1), atol=SAME, err_msg=path.name)
    told = {path.name: answer.refused for path, answer in zip([*bad, *deep], answers[len(good) :], strict=True)}
    expected = {**refused, "deep grey.png": "deepGrey"}
    assert told == {name: REFUSALS[code] for name, code in expected.items()}


@pytest.mark.slow
def test_a_page_that_cannot_open_its_network_is_an_error_with_the_reason(
    runtime: dict[str, bytes], browser_path: str, tmp_path: Path
) -> None:
    write_page(tmp_path, runtime)
    (tmp_path / "classifier.json").write_text(small_description())
    with pytest.raises(ResnetkitError) as caught:
        answer_in_browser(tmp_path, [], browser_path)
    assert "model.onnx: 404" in caught.value.why


def test_each_reason_of_the_page_has_words() -> None:
    scripts = "".join(path.read_text() for path in web_page.FILES.glob("*.js"))
    asked = re.findall(r"new Refused\((.*?)[,)]", scripts)
    codes = {code for expression in asked for code in re.findall(r'"(\w+)"', expression)}
    assert codes == set(REFUSALS)


def test_a_browser_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "classifier.json").write_text(json.dumps({}))
    silent = tmp_path / "browser"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)
    with pytest.raises(ResnetkitError) as caught:
        answer_in_browser(tmp_path, [], str(silent), patience_seconds=0.3)
    assert "still running" in caught.value.why


def test_a_browser_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(browser, "NAMES", ("one", "other"))
    assert browser.find_browser() is None
    (tmp_path / "other").touch(0o755)
    assert browser.find_browser() == str(tmp_path / "other")
