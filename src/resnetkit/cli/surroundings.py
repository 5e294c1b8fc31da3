"""Check what a process needs around it before it can do anything; told as one error of ours where it is missing."""

from __future__ import annotations

import os

# Libraries that torch loads end the process in their own words where they get no memory to start with.
LEAST_ADDRESS_SPACE = 10**9
COMPUTING = {"demo", "train", "evaluate", "predict", "convert", "compare", "analyze", "benchmark", "study"}


def check_surroundings(command: str | None) -> None:
    """Refuse to begin where the current folder is gone, or where torch could not be loaded for a command.

    Raises:
        ResnetkitError: saying which.
    """
    from resnetkit.errors import Code, ResnetkitError

    try:
        os.getcwd()
    except OSError as error:
        fix = "change to a folder that exists"
        raise ResnetkitError(Code.IO, "the current folder is gone", why=str(error), fix=fix) from None
    limit = _address_space()
    if command in COMPUTING and limit is not None and limit < LEAST_ADDRESS_SPACE:
        raise ResnetkitError(
            Code.IO,
            f"this process may use {limit / 1e6:,.0f} MB of address space, too few for torch",
            why=f"a limit is set (ulimit -v); {LEAST_ADDRESS_SPACE / 1e6:,.0f} MB are needed to begin with",
            fix="ulimit -v unlimited",
        )


def _address_space() -> int | None:
    """Bytes that this process may map; None where there is no limit, or it cannot be known."""
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft
