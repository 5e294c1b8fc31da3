"""The machine's peak, its load and memory."""

from pathlib import Path

import numpy as np
import pytest
import torch

from resnetkit.machine import peaks
from resnetkit.machine.allocator import keep_freed_memory

CPU = torch.device("cpu")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_machine_has_a_peak(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks, "SIDES", (32, 64))
    assert peaks.measure_peak(precision, CPU) > 0


def test_the_peak_is_the_best_of_all_products(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.2, 0.1, 0.05, 0.3])
    monkeypatch.setattr(peaks, "SIDES", (32, 64))
    monkeypatch.setattr(peaks, "SECONDS_PER_SIDE", 0.25)
    monkeypatch.setattr(peaks, "_time_product", lambda a, b, out: next(seconds))
    # 0.2 and 0.1 fill the first side's time; eight times 0.1 would be too long for the next.
    assert peaks.measure_peak("fp32", CPU) == 2 * 32**3 / 0.1


def test_other_work_is_told_where_it_takes_cores_that_are_needed() -> None:
    assert peaks.warning_about_load(0.4, threads=2, cores=2) is None
    assert peaks.warning_about_load(3.0, threads=4, cores=8) is None
    assert "5.0 of its 8 cores" in (peaks.warning_about_load(5.0, threads=4, cores=8) or "")


def test_memory_in_use_at_once_is_seen_though_it_is_freed_again_and_kept() -> None:
    keep_freed_memory()
    block = np.ones(200_000_000, np.uint8)
    del block
    with peaks.watch_memory(CPU) as idle:
        pass
    with peaks.watch_memory(CPU) as busy:
        block = np.ones(200_000_000, np.uint8)
        del block
    assert busy.num_bytes >= idle.num_bytes + 150_000_000


def test_free_memory_is_some_memory() -> None:
    free = peaks.free_bytes(CPU)
    assert free is None or free > 0


def test_what_a_container_has_left_counts_the_files_it_read_as_free(tmp_path: Path) -> None:
    assert peaks.left_in_group(tmp_path) is None
    (tmp_path / "memory.max").write_text("8000\n")
    (tmp_path / "memory.current").write_text("7900\n")
    assert peaks.left_in_group(tmp_path) == 100
    (tmp_path / "memory.stat").write_text("anon 1000\nactive_file 10\ninactive_file 6000\nslab 3\n")
    assert peaks.left_in_group(tmp_path) == 6100
    (tmp_path / "memory.max").write_text("max\n")
    assert peaks.left_in_group(tmp_path) is None
