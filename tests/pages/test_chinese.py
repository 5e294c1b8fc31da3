"""Chinese texts of pages have the marks of their script."""

import re
from pathlib import Path

import resnetkit

BETWEEN = re.compile("[一-鿿] ?[,;!?]|[,;!?] ?[一-鿿]")


def test_no_mark_of_another_script_stands_beside_a_chinese_sign() -> None:
    files = Path(resnetkit.__file__).parent.rglob("*.js")
    lines = [line.strip() for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert any("分类器" in line for line in lines)
    assert not [line for line in lines if BETWEEN.search(line)]
