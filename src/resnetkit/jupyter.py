"""The notebook that code runs in, if any: output there that can be written over. It needs no package of Jupyter."""

from __future__ import annotations

import sys
from typing import Any


def in_notebook() -> bool:
    """Tell whether a kernel of Jupyter runs this; IPython on a terminal is none."""
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class LiveOutput:
    """An output below the cell that is running, of which the last state is kept in the notebook."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, html: str, text: str) -> None:
        """Show HTML in the place of what was shown before; front ends without HTML show the text."""
        from IPython.display import display

        content = {"text/html": html, "text/plain": text}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)
