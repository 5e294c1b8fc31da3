"""Image files that the command line names: by their paths, by folders, lists and patterns, or on stdin."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from resnetkit.terminal import tell, warn


def find_files(paths: Iterable[str]) -> Iterator[str]:
    """The files that paths, folders, lists, patterns and ``-`` stand for; what is not there passes, to get its row."""
    from resnetkit.folders.image_folder import find_images
    from resnetkit.folders.image_list import list_images
    from resnetkit.folders.table_file import is_table
    from resnetkit.images.image_files import count_unread, tell_ignored

    for path in paths:
        if path == "-":
            yield from _paths_on_stdin()
        elif os.path.isdir(path):
            images, left_out = find_images(Path(path))
            if left_out.beside:
                tell(f"{path}: {tell_ignored(left_out.beside)}")
            if left_out.unread:
                warn(f"{path}: not read: {count_unread(left_out.unread)}")
            yield from images
        elif is_table(path):
            yield from list_images(Path(path))
        elif any(sign in path for sign in "*?[") and not os.path.exists(path):
            import glob

            matches = sorted(glob.glob(_with_folders_by_name(path), recursive=True))
            yield from find_files(matches) if matches else [path]
        else:
            yield path


def whole_path(path: str) -> str:
    """The path of a file from the root on, by which it has one name from wherever it is named.

    Links on the way to it are followed; it keeps its own name, also where that is a link.
    """
    from resnetkit.images.image_rows import file_of

    file = file_of(path)
    folder, name = os.path.split(file)
    return os.path.join(_followed(os.path.join(os.getcwd(), folder)), name) + path[len(file) :]


@cache
def _followed(folder: str) -> str:
    try:
        return os.path.realpath(folder)
    except ValueError:  # it holds what no path can
        return os.path.abspath(folder)


def _with_folders_by_name(pattern: str) -> str:
    """A pattern in which the folders that are there under the very name they are given stand for themselves."""
    import glob

    for end in (found.start() for found in reversed(list(re.finditer("/", pattern)))):
        if os.path.isdir(pattern[:end]):
            return glob.escape(pattern[:end]) + pattern[end:]
    return pattern


def _paths_on_stdin() -> Iterator[str]:
    from resnetkit.files import io_errors

    with io_errors("read paths from stdin"):
        for line in sys.stdin:
            path = line.removesuffix("\n")
            if path.strip():
                # Lists that Windows wrote end lines with a carriage return as well.
                yield path if os.path.lexists(path) else path.removesuffix("\r")
