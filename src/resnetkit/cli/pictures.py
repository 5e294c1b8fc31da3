"""Pictures that commands write."""

from __future__ import annotations

from pathlib import Path

from resnetkit.terminal import tell


def check_picture(path: Path) -> None:
    """Refuse a path where no picture may be written, before any work is done for it.

    Raises:
        ResnetkitError: for another kind of file, or one that is there and is no picture of ours.
    """
    from resnetkit.errors import require
    from resnetkit.pages.svg import START

    require(path.suffix.lower() == ".svg", f"--svg writes an SVG file, got {path}", fix=f"name it {path.stem}.svg")
    require(
        not path.exists() or (path.is_file() and path.read_bytes().startswith(START.encode())),
        f"{path} is there already, and no picture of ours",
        fix="give another name",
    )


def write_picture(path: Path, drawn: str) -> None:
    """Write a picture that :func:`check_picture` has let pass, and say so."""
    from resnetkit.files import write_durably

    write_durably(path, drawn.encode())
    tell(f"wrote {path}")
