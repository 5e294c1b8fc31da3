"""A rehearsal of an HDF5 file in a process of its own: everything in it is visited and read, under limits.

HDF5's library follows a damaged file's addresses wherever they lead, round in circles too, and no caller can stop it.
So this file is run as a script, alone: it imports nothing of this project; whoever starts it says what it may take.
"""

from __future__ import annotations

import io
import resource
import sys
import zipfile


def is_inside(dataset) -> bool:  # type: ignore[no-untyped-def]
    """Tell whether the values lie in this file: those of another must not be opened."""
    return not dataset.is_virtual and not dataset.id.get_create_plist().get_external_count()


def main(path: str, member: str, num_bytes: int, seconds: int) -> None:
    """Visit and read what the HDF5 file at ``path`` holds, or, where ``member`` is not empty, that file in a zip."""
    import h5py  # before memory is limited, for its libraries take some

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (num_bytes, num_bytes))
    source = io.BytesIO(zipfile.ZipFile(path).read(member)) if member else path
    with h5py.File(source, "r") as file:
        waiting, seen = [file], set()
        while waiting:
            item = waiting.pop()
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            for name in item.attrs:
                item.attrs.get(name)
            if isinstance(item, h5py.Group):
                links = [(name, item.get(name, getlink=True)) for name in item]
                waiting += [item[name] for name, link in links if type(link) is h5py.HardLink]
            elif isinstance(item, h5py.Dataset) and is_inside(item) and item.nbytes < num_bytes:
                item[()]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
