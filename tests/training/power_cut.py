"""What a power cut can leave of a folder: the calls that decide it, recorded, and the states that may be found.

POSIX promises little. After a power cut a file has the bytes of its last fsync, or any later ones, or some of them; a
folder holds the names of its last fsync, and any of the changes since then may be there or not. A rename is whole or
has not happened. Order counts for nothing: what was done later may have reached the disk before what was done earlier.
"""

import itertools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal, NamedTuple
from unittest import mock

CALLS = ("fsync", "mkdir", "rename", "replace", "unlink", "rmdir")
RANDOM_STATES = 3

Names = dict[str, int]  # of a folder: what inode has that name
Inodes = Mapping[int, bytes | Names]
Tree = dict[str, Any]  # what is found after the cut: names, and bytes or trees
Change = dict[str, int | None]  # names of one folder that change together; None: is taken away
Torn = Literal["whole", "half", "zeros"]


class Moment(NamedTuple):
    """What is below the root just before a call, and what was promised by then.

    Attributes:
        synced: the inode that the call is about to fsync; 0 for another call.
        role: what that is: its path, without the parts that are different each time.
    """

    inodes: Inodes
    synced: int
    role: str
    promises: tuple[Any, ...]


@dataclass
class Recorder:
    """The moments of what happens below a folder, from what lies in it at the beginning, which is on the disk."""

    root: Path
    promises: list[Any] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._held: dict[int, int] = {}
        self._known: dict[tuple[int, int, int], bytes] = {}

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Within the block, the calls of ``os`` that decide what survives are noted before they are made."""
        self._note()
        try:
            with ExitStack() as stack:
                for call in CALLS:
                    stack.enter_context(mock.patch.object(os, call, self._noting(call, getattr(os, call))))
                yield
            self._note()
        finally:
            for descriptor in self._held.values():
                os.close(descriptor)

    def _noting(self, call: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def noted(target: Any, *args: Any, **kwargs: Any) -> Any:
            if call == "fsync":
                path = Path(os.readlink(f"/proc/self/fd/{target}"))
                if path.is_relative_to(self.root):
                    self._note(os.fstat(target).st_ino, _role(path.relative_to(self.root)))
            else:
                self._note()
            return real(target, *args, **kwargs)

        return noted

    def _note(self, synced: int = 0, role: str = "") -> None:
        inodes: dict[int, bytes | Names] = {}
        self._read(self.root, inodes)
        self.moments.append(Moment(inodes, synced, role, tuple(self.promises)))

    def _read(self, path: Path, inodes: dict[int, bytes | Names]) -> int:
        status = path.stat()
        inode = status.st_ino
        if inode not in self._held:  # while it is open, no other file is given its number
            self._held[inode] = os.open(path, os.O_RDONLY)
        if path.is_dir():
            inodes[inode] = {child.name: self._read(child, inodes) for child in path.iterdir()}
        else:
            key = (inode, status.st_size, status.st_mtime_ns)
            inodes[inode] = self._known[key] = self._known.get(key) or path.read_bytes()
        return inode


class State(NamedTuple):
    """What may be found, and what was promised by then; equal states have equal keys."""

    promises: tuple[Any, ...]
    tree: Tree
    key: int


def _role(path: Path) -> str:
    without_suffix = re.sub(r"(^|/)\.([^/]+)\.[0-9a-f]{16}", r"\1(\2)", str(path))
    return re.sub(r"step-\d+-epoch-\d+", "step", without_suffix)


def roles(moments: list[Moment]) -> list[str]:
    """All that was fsynced."""
    return sorted({moment.role for moment in moments if moment.synced})


def states(root: Path, moments: list[Moment], *, without: str | None = None) -> Iterator[State]:
    """What may be found after a power cut at any moment, each state once.

    Args:
        without: a role whose fsyncs are left out.
    """
    top = root.stat().st_ino
    disk = dict(moments[0].inodes)
    last = dict(disk)
    seen: set[int] = set()
    for number, moment in enumerate(moments):
        last |= moment.inodes  # of a file that is gone, its last bytes
        for tree in _possible(top, disk, last, Random(number)):
            key = hash((_hashable(tree), moment.promises))
            if key not in seen:
                seen.add(key)
                yield State(moment.promises, tree, key)
        if moment.synced and moment.role != without:
            disk[moment.synced] = moment.inodes[moment.synced]


def _possible(top: int, disk: Inodes, live: Inodes, random: Random) -> Iterator[Tree]:
    """All that is pending reached the disk, or nothing, or one change alone, or all but one, or some of them."""
    pending = [
        (inode, number)
        for inode in sorted(_reachable(top, disk) | _reachable(top, live))
        for number in range(len(_changes(disk.get(inode), live.get(inode))))
    ]
    everything = frozenset(pending)
    kept = [everything, frozenset()]
    kept += [frozenset({change}) for change in pending]
    kept += [everything - {change} for change in pending]
    kept += [frozenset(change for change in pending if random.random() < 0.5) for _ in range(RANDOM_STATES)]
    fates: list[tuple[frozenset[tuple[int, int]], Torn]] = [(some, "whole") for some in kept]
    fates += [(everything, "half"), (everything, "zeros")]
    for some, torn in fates:
        yield _tree(top, disk, live, some, torn)


def _reachable(top: int, inodes: Inodes) -> set[int]:
    found, waiting = set[int](), [top]
    while waiting:
        inode = waiting.pop()
        found.add(inode)
        content = inodes.get(inode)
        waiting += content.values() if isinstance(content, dict) else ()
    return found


def _tree(top: int, disk: Inodes, live: Inodes, kept: frozenset[tuple[int, int]], torn: Torn) -> Any:
    """What an inode holds when some changes were kept; of new bytes, which of them."""
    before, after = disk.get(top), live[top]
    if isinstance(after, bytes):
        before = before or b""
        assert isinstance(before, bytes)
        return _torn(before, after, torn) if (top, 0) in kept else before
    names = dict(before) if isinstance(before, dict) else {}
    for number, change in enumerate(_changes(before, after)):
        if (top, number) in kept:
            names = {name: inode for name, inode in names.items() if name not in change}
            names |= {name: inode for name, inode in change.items() if inode is not None}
    return {name: _tree(inode, disk, live, kept, torn) for name, inode in names.items()}


def _torn(before: bytes, after: bytes, torn: Torn) -> bytes:
    num_old = len(before) if after.startswith(before) else 0
    num_new = len(after) - num_old
    match torn:
        case "whole":
            return after
        case "half":
            return after[: num_old + num_new // 2]
        case "zeros":  # the length was on the disk before the bytes were
            return after[:num_old] + bytes(num_new)


def _changes(before: bytes | Names | None, after: bytes | Names | None) -> list[Change]:
    """The steps between two contents of an inode that are made whole: new bytes (no names), or names one by one, but
    those together that a rename moves."""
    if isinstance(after, bytes):
        return [{}] if after != (before or b"") else []
    old = before if isinstance(before, dict) else {}
    new = after or {}
    groups: list[Change] = []
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            moved = {old.get(name), new.get(name)} - {None}
            same = [group for group in groups if moved & {inode for n in group for inode in (old.get(n), new.get(n))}]
            merged = dict(itertools.chain.from_iterable(group.items() for group in same))
            groups = [*(group for group in groups if group not in same), {**merged, name: new.get(name)}]
    return groups


def _hashable(tree: Any) -> Any:
    return tree if isinstance(tree, bytes) else tuple((name, _hashable(tree[name])) for name in sorted(tree))


def write_tree(tree: Tree, folder: Path) -> None:
    """Put a tree on a disk."""
    folder.mkdir()
    for name, content in tree.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            write_tree(content, folder / name)
