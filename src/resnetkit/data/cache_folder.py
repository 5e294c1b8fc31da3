"""The folder where a kind of thing is kept between runs, which may be deleted at any time: its place, room and age."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import platformdirs

from resnetkit.data.spec import DataSpec

FREE_SHARE = 0.5  # of the free space, `auto` takes at most this
UNUSED_SECONDS = 30 * 24 * 3600


def cache_folder(spec: DataSpec, kind: str) -> Path | None:
    """The folder for a kind of thing as ``data.cache`` has it; None where nothing is to be kept."""
    if spec.cache == "off":
        return None
    return platformdirs.user_cache_path("resnetkit") / kind if spec.cache == "auto" else Path(spec.cache).expanduser()


def has_room(folder: Path, num_bytes: int) -> bool:
    """Tell whether so many bytes may be kept there by themselves, without anybody's having asked."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return num_bytes <= FREE_SHARE * shutil.disk_usage(existing).free


def remove_unused(folder: Path, file_name: re.Pattern[str]) -> None:
    """Delete what no run has used for a month, and what runs that were killed left half-written."""
    for path in folder.iterdir():
        if file_name.fullmatch(path.name) and time.time() - path.stat().st_mtime > UNUSED_SECONDS:
            path.unlink(missing_ok=True)
