"""Batches: every image once an epoch, slices that make up the batch, and workers that change nothing."""

import threading

import numpy as np
import pytest
import torch

from resnetkit.data.batches import Shard, read_batches, resident_pixels, training_order
from resnetkit.data.reading import evaluation_order
from resnetkit.data.types import Split
from resnetkit.images.types import ArrayImages, Images


def split_of(images: Images) -> Split:
    num = len(images)
    names = [str(i) for i in range(num)]
    return Split("train", images, np.arange(num) % 4, names, np.ones(num, np.float32), np.arange(num, dtype=np.uint64))


def array_images(num: int = 23) -> ArrayImages:
    return ArrayImages(np.random.default_rng(0).integers(0, 256, (num, 3, 4, 4), dtype=np.uint8))


@pytest.mark.parametrize(("num_images", "batch_size"), [(24, 4), (23, 4), (3, 4), (5, 1)])
def test_training_shows_an_image_at_most_once_and_only_full_batches(num_images: int, batch_size: int) -> None:
    batches = training_order(7, 2, num_images, batch_size)
    assert len(batches) == num_images // batch_size
    assert all(len(batch) == batch_size for batch in batches)
    shown = np.concatenate([*batches, np.arange(0)])
    assert len(np.unique(shown)) == len(shown) == num_images - num_images % batch_size
    assert set(shown.tolist()) <= set(range(num_images))


def test_what_one_epoch_leaves_out_comes_in_another() -> None:
    shown = {int(i) for epoch in range(12) for batch in training_order(7, epoch, 23, 5) for i in batch}
    assert shown == set(range(23))
    first, again, second = (np.concatenate(training_order(7, epoch, 23, 5)) for epoch in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("num_ranks", [1, 2, 4])
def test_slices_make_up_the_batch(num_ranks: int) -> None:
    for batch in training_order(7, 0, 23, 8):
        slices = [Shard(rank, num_ranks).of(batch) for rank in range(num_ranks)]
        assert {len(part) for part in slices} == {8 // num_ranks}
        assert np.array_equal(np.concatenate(slices), batch)


def test_a_batch_holds_pixels_labels_and_positions_of_the_same_images() -> None:
    split = split_of(array_images())
    batches = training_order(7, 0, 23, 5)
    read = list(read_batches(split, batches))
    assert len(read) == len(batches)
    for batch, indices in zip(read, batches, strict=True):
        assert isinstance(split.images, ArrayImages)
        assert np.array_equal(batch.indices, indices)
        assert np.array_equal(batch.images.numpy(), split.images.pixels[indices])
        assert np.array_equal(batch.labels.numpy(), indices % 4)
        assert (batch.images.dtype, batch.labels.dtype) == (torch.uint8, torch.int64)


def test_no_batches_no_reading() -> None:
    assert list(read_batches(split_of(array_images()), [])) == []


class LazyImages:
    """Images that are made when they are read, as a folder's are; it counts what was read, and where."""

    def __init__(self, fails_at: int = -1) -> None:
        self.fails_at = fails_at
        self.num_reads = 0
        self.threads: set[int] = set()

    def __len__(self) -> int:
        return 23

    def read(self, indices: np.ndarray) -> np.ndarray:
        self.num_reads += 1
        self.threads.add(threading.get_ident())
        if self.fails_at in indices:
            raise OSError("gone")
        return np.broadcast_to(indices[:, None, None, None], (len(indices), 1, 2, 2)).astype(np.uint8)


def test_without_workers_batches_are_read_one_after_the_other() -> None:
    images = LazyImages()
    batches = read_batches(split_of(images), evaluation_order(23, 5), num_workers=0)
    assert images.num_reads == 0
    next(batches)
    assert images.num_reads == 1
    assert len(list(batches)) == images.num_reads - 1 == 4
    assert images.threads == {threading.get_ident()}


@pytest.mark.parametrize("num_workers", [1, 2, 5])
def test_workers_give_the_same_batches(num_workers: int) -> None:
    images = LazyImages()
    split, batches = split_of(images), training_order(7, 0, 23, 3)
    here = list(read_batches(split, batches, num_workers=0))
    images.threads.clear()
    there = list(read_batches(split, batches, num_workers=num_workers))
    assert len(here) == len(there) == 7
    for first, second in zip(here, there, strict=True):
        assert torch.equal(first.images, second.images)
        assert torch.equal(first.labels, second.labels)
        assert np.array_equal(first.indices, second.indices)
    assert threading.get_ident() not in images.threads, "read by others"


def test_workers_read_only_some_batches_ahead() -> None:
    images = LazyImages()
    batches = read_batches(split_of(images), evaluation_order(23, 1), num_workers=2)
    next(batches)
    batches.close()
    assert 1 <= images.num_reads <= 4
    assert not any(thread.name.startswith("read") for thread in threading.enumerate())


def test_what_goes_wrong_in_a_worker_is_told_in_its_turn() -> None:
    batches = read_batches(split_of(LazyImages(fails_at=7)), evaluation_order(23, 5), num_workers=2)
    assert np.array_equal(next(batches).indices, np.arange(5))
    with pytest.raises(OSError, match="gone"):
        next(batches)
    assert not any(thread.name.startswith("read") for thread in threading.enumerate())


@pytest.fixture
def roomy_gpu(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """A device that says it is a GPU with room for four times 23 small images, and computes on the CPU."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (4 * 23 * 3 * 4 * 4, 10**9))
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *_, **__: self)
    return torch.device("cuda", 0)


def test_pixels_on_the_device_give_the_same_batches(roomy_gpu: torch.device) -> None:
    split = split_of(array_images())
    resident = resident_pixels(split, roomy_gpu)
    assert resident is not None
    batches = training_order(7, 0, 23, 5)
    for there, here in zip(read_batches(split, batches, resident=resident), read_batches(split, batches), strict=True):
        assert torch.equal(there.images, here.images)
        assert torch.equal(there.labels, here.labels)
        assert np.array_equal(there.indices, here.indices)


def test_only_pixels_in_memory_that_fit_go_to_a_gpu(roomy_gpu: torch.device) -> None:
    assert resident_pixels(split_of(array_images(24)), roomy_gpu) is None
    assert resident_pixels(split_of(LazyImages()), roomy_gpu) is None
    assert resident_pixels(split_of(array_images()), torch.device("cpu")) is None
