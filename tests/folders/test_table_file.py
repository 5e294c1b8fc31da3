"""Tables as spreadsheets, scripts and the hub write them, and what is none."""

from pathlib import Path

import pytest

from resnetkit.errors import Code, ResnetkitError
from resnetkit.folders.table_file import is_table, read_table

PLAIN = "path,label\ncat/1.jpg,cat\ndog/1.jpg,Löwe\n"
EXPECTED = (("path", "label"), [["cat/1.jpg", "cat"], ["dog/1.jpg", "Löwe"]])


def put(folder: Path, content: str | bytes, name: str = "list.csv") -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.replace("\n", "\r\n").encode("utf-8-sig"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", ", "),
        PLAIN.replace("\n", "\n\n"),
        PLAIN.replace("\n", "\n , \n"),
        PLAIN.replace("\n", ",\n"),
        '"path","label"\r\n"cat/1.jpg","cat"\r\n"dog/1.jpg","Löwe"\r\n',
    ],
)
def test_however_it_is_written_it_says_the_same(content: str | bytes, tmp_path: Path) -> None:
    table = read_table(put(tmp_path, content))
    assert (tuple(filter(None, table.columns)), [row[:2] for row in table.rows]) == EXPECTED


def test_quotes_hold_commas_and_line_breaks_and_lines_are_those_of_the_file(tmp_path: Path) -> None:
    table = read_table(put(tmp_path, 'path,note,label\n\n"a, b.jpg","one\ntwo, three",cat\nc.jpg,"a ""word""",dog\n'))
    assert table.rows == [["a, b.jpg", "one\ntwo, three", "cat"], ["c.jpg", 'a "word"', "dog"]]
    assert table.lines == [3, 5]
    assert table.column("label") == ["cat", "dog"]


def test_tabs_alone_stand_between_the_cells_of_tsv(tmp_path: Path) -> None:
    table = read_table(put(tmp_path, "path\tlabel\na,b;c.jpg\tcat\n", "list.TSV"))
    assert table.rows == [["a,b;c.jpg", "cat"]]


def test_json_lines_may_lack_what_others_have(tmp_path: Path) -> None:
    text = '{"path": "a\u2028.jpg", "label": 3}\r\n\n{"label": ["x", "y"], "path": "b.jpg", "split": null}\n'
    table = read_table(put(tmp_path, text, "list.jsonl"))
    assert table.columns == ("path", "label", "split")
    assert table.rows == [["a\u2028.jpg", "3", ""], ["b.jpg", '["x", "y"]', ""]]
    assert table.lines == [1, 3]


def test_of_windows_own_encoding_the_line_and_the_way_out_are_said(tmp_path: Path) -> None:
    with pytest.raises(ResnetkitError, match="is not UTF-8") as raised:
        read_table(put(tmp_path, PLAIN.replace("\n", "\r\n").encode("cp1252")))
    assert raised.value.code == Code.DATA
    assert raised.value.why.startswith(r"line 3 holds the bytes b'\xf6we")
    assert "iconv -f WINDOWS-1252 -t UTF-8" in raised.value.fix


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        (PLAIN.encode("utf-16-le"), "list.csv", "zero bytes"),
        ('path,label\na.jpg,cat\n"b.jpg,dog\nc.jpg,dog\n', "list.csv", "line 3: unexpected end of data; is a quot"),
        ('path,label\n"a.jpg"x,cat\n', "list.csv", "line 2: ',' expected after '\"'"),
        ("path,label\na, b.jpg,cat\n", "list.csv", "line 2 has 3 cells, and there are 2 columns"),
        ("path,label,label\n", "list.csv", "several columns are called 'label'"),
        ('[{"path": "a.jpg"}]\n', "list.jsonl", "line 1 is no JSON object"),
        ('{"path": "a.jpg"}\n{"path": \n', "list.jsonl", "line 2: Expecting value"),
        ('{"path": ' + "[" * 100_000 + "\n", "list.jsonl", "recursion"),
    ],
)
def test_what_is_no_table_is_refused(content: str | bytes, name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ResnetkitError, match="cannot read") as raised:
        read_table(put(tmp_path, content, name))
    assert why in raised.value.why


def test_an_empty_file_has_neither_columns_nor_rows(tmp_path: Path) -> None:
    for name in ("list.csv", "list.jsonl"):
        table = read_table(put(tmp_path, b"\n \n", name))
        assert (table.columns, table.rows) == ((), [])


def test_only_files_with_names_of_tables_are_taken_for_some(tmp_path: Path) -> None:
    assert is_table(put(tmp_path, PLAIN, "list.CSV"))
    assert not is_table(put(tmp_path, PLAIN, "list.txt"))
    (tmp_path / "folder.csv").mkdir()
    assert not is_table(tmp_path / "folder.csv")
    assert not is_table(tmp_path / "gone.csv")
