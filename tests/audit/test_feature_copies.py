"""Copies that features propose and pixels confirm, and those that features alone would have taken for some."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.audit.altered import cropped, picture, save

from resnetkit import create_model
from resnetkit.audit.auditing import Audit, audit_data
from resnetkit.audit.clean_list import LEAK, clean
from resnetkit.audit.feature_copies import MOST_NEIGHBOURS, confirm_pairs, propose_pairs, shrink_all
from resnetkit.audit.subject import open_subject
from resnetkit.data.given import GivenData
from resnetkit.data.prepared_images import Originals
from resnetkit.images.spec import Preprocessing
from resnetkit.sources.weights import Embedder

SIZE = (240, 200)
PART = cropped(0.12, 0, 0, 0.1)


def colours_of(embedder: Embedder, parts: list[Originals], **options: object) -> np.ndarray:
    """How often each of 512 colours is there: what a network sees of a picture is as near to what it sees of a part."""
    pixels = np.concatenate([images.read(np.arange(len(images))) for images in parts]).astype(np.int64) // 32
    codes = (pixels * np.array([64, 8, 1])[:, None, None]).sum(1).reshape(len(pixels), -1)
    return np.stack([np.bincount(row, minlength=512) for row in codes]).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def _seen() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("resnetkit.audit.subject.compute_features", colours_of)
        yield


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(create_model("resnet20", num_classes=2), Preprocessing(64, 64))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(24):
        split = "train" if number < 16 else "val"
        save(picture(number, SIZE), folder / split / ("cat", "dog")[number % 2] / f"{number}.png")
    save(PART(picture(2, SIZE)), folder / "val/cat/part.jpg", quality=80)
    save(PART(picture(5, SIZE)), folder / "train/cat/conflict.png")
    save(PART(picture(6, SIZE)), folder / "train/cat/again.png")
    return folder


@pytest.fixture(scope="module")
def audit(photos: Path, embedder: Embedder) -> Audit:
    return audit_data(str(photos), embedder=embedder)


def test_parts_of_pictures_are_leaks_conflicts_and_near_duplicates(audit: Audit) -> None:
    counts = audit.counts
    assert (counts["leaks"], counts["conflicts"], counts["near_duplicates"]) == (1, 1, 1)
    notes = {
        mark.note.partition(": ")[2] or mark.note
        for finding in audit.findings
        for mark in finding.marks
        if finding.name in ("leaks", "conflicts", "near_duplicates")
    }
    assert all(note.startswith("a part of the other, by features and pixels (") for note in notes), notes
    assert LEAK in clean(audit).left_out.values()
    assert "copies of which more than 5 % was cut off" not in audit.left_out


def test_without_a_network_they_are_missed_and_that_is_said(photos: Path) -> None:
    audit = audit_data(str(photos))
    assert not any(audit.counts[name] for name in ("leaks", "conflicts", "near_duplicates"))
    assert "copies of which more than 5 % was cut off" in audit.left_out


def test_images_in_memory_are_laid_over_one_another_too(embedder: Embedder) -> None:
    images = [picture(number, SIZE) for number in range(12)]
    images.append(PART(images[3]).resize(SIZE))
    pixels = np.stack([np.asarray(image) for image in images])
    audit = audit_data(GivenData(pixels, np.zeros(len(images), np.int64), ("cat",)), embedder=embedder)
    subject = audit.subject
    (pair,) = subject.copies.pairs
    assert {subject.identifiers[pair.first], subject.identifiers[pair.second]} == {"3", "12"}


def test_a_few_neighbours_of_each_are_proposed_and_none_of_a_known_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    features = np.repeat(draw.normal(size=(20, 32)), 10, axis=0).astype(np.float32) + 1
    features += draw.normal(scale=0.1, size=features.shape).astype(np.float32)
    alone, sorts = np.arange(200), np.arange(200) // 10
    for at_once in (2**24, 700):
        monkeypatch.setattr("resnetkit.audit.feature_copies.VALUES_AT_ONCE", at_once)
        done: list[int] = []
        pairs = propose_pairs(features, alone, alone, done.append)
        assert sum(done) == 200
        assert 200 * MOST_NEIGHBOURS / 2 <= len(pairs) <= 200 * MOST_NEIGHBOURS
        assert (pairs[:, 0] < pairs[:, 1]).all()
        assert (sorts[pairs[:, 0]] == sorts[pairs[:, 1]]).all(), "those of other sorts are far"
        assert not len(propose_pairs(features, sorts, alone))
        some = propose_pairs(features, alone, alone[::2])
        assert not (some % 2).any()
    assert propose_pairs(features, alone, alone[:1]).shape == (0, 2)


def test_features_alone_make_no_copy() -> None:
    images = [picture(0, SIZE), picture(1, SIZE), PART(picture(1, SIZE))]
    tellers: list[threading.Thread] = []
    pictures = shrink_all(
        range(3),
        lambda row: np.asarray(images[row]),
        num_workers=2,
        on_done=lambda more: tellers.append(threading.current_thread()),
    )
    assert tellers == [threading.current_thread()] * 3, "bars in notebooks are drawn by one thread"
    (found,) = confirm_pairs(np.array([[0, 1], [0, 2], [1, 2]]), pictures, np.zeros(3, np.bool_), num_workers=2)
    assert (found.first, found.second) == (1, 2)
    assert all(small.size <= 64 * 64 * 1.1 and small.dtype == np.uint8 for small in pictures.values())


def test_small_drawings_are_never_laid_over_one_another(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outlines of two letters agree wherever they are laid."""
    draw = np.random.default_rng(0)
    pixels = np.full((12, 48, 48, 3), 255, np.uint8)
    pixels[:, 16:36, 16:36] = draw.integers(0, 256, (12, 20, 20, 3))
    monkeypatch.setattr("resnetkit.audit.feature_copies.lay_over", lambda one, other: pytest.fail("laid over"))
    letters = GivenData(pixels, np.zeros(12, np.int64), ("letter",))
    audit = audit_data(letters, embedder=embedder)
    assert not audit.subject.copies.pairs
    assert list(audit_data(letters).left_out) == ["wrong labels"], "no classifier would find copies that are cut off"
    monkeypatch.setattr("resnetkit.audit.subject.compute_features", lambda *_, **__: pytest.fail("for nothing"))
    assert not open_subject(letters.spec, embedder, given=letters).copies.pairs


def test_larger_ones_must_agree_in_nearly_all() -> None:
    original = picture(1, SIZE)
    half = original.copy()
    half.paste(picture(2, SIZE).crop((0, 0, 80, 200)))
    pictures = shrink_all(range(3), lambda row: np.asarray([original, half, PART(original)][row]))
    pairs = np.array([[0, 1], [0, 2]])
    photos, cut_outs = (confirm_pairs(pairs, pictures, np.full(3, plain)) for plain in (False, True))
    assert [found.second for found in photos] == [1, 2]
    assert [found.second for found in cut_outs] == [2]


def test_grey_thumbnails_are_those_of_pillow_across_blocks(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resnetkit.audit.subject.TOGETHER", 4)
    subject = audit_data(str(photos)).subject
    for thumbnail, grey in zip(subject.thumbnails, subject.grey, strict=True):
        assert np.array_equal(np.asarray(Image.fromarray(thumbnail.transpose(1, 2, 0)).convert("L")), grey)
