"""What is read off the processor."""

from pathlib import Path

import pytest

from resnetkit.machine import processor
from resnetkit.machine.processor import multiplies_bf16_fast, multiplies_int8_fast, processor_name


@pytest.mark.parametrize(
    ("content", "name", "fast"),
    [
        ("model name\t: A B\nflags\t\t: fpu avx512_bf16 amx_bf16 amx_tile\n", "A B", True),
        ("model name\t: A\nflags\t\t: fpu avx512_bf16\n", "A", False),
        ("model name\t: with amx_bf16\n", "with amx_bf16", False),
        (None, "the system's word", False),
    ],
)
def test_what_the_system_says_about_the_processor(
    content: str | None, name: str, fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "cpuinfo").write_text(content)
    monkeypatch.setattr(processor, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(processor.platform, "processor", lambda: "the system's word")
    assert processor_name() == name
    assert multiplies_bf16_fast() is fast


@pytest.mark.parametrize(
    ("content", "fast"),
    [
        ("flags\t\t: fpu avx512f avx512_vnni\n", True),
        ("flags\t\t: fpu avx2 avx_vnni\n", True),
        ("Features\t: fp asimd asimddp\n", True),
        ("flags\t\t: fpu avx2 avx512f\n", False),
        ("Features\t: fp asimd\n", False),
        ("model name\t: with avx512_vnni\n", False),
    ],
)
def test_what_multiplies_bytes(content: str, fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpuinfo").write_text(content)
    monkeypatch.setattr(processor, "CPU_INFO", tmp_path / "cpuinfo")
    assert multiplies_int8_fast() is fast
