"""What tests of audits share: one thread for matrices too."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other take minutes where others use the machine."""
    with threadpool_limits(1):
        yield
