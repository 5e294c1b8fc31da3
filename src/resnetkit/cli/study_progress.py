"""Show a study while it runs: a line for each run that ends, and on a terminal a live one in between; all on stderr."""

from __future__ import annotations

from resnetkit.study.session import StudyListener
from resnetkit.terminal import is_live, tell, tell_live, warn


class ConsoleStudyListener(StudyListener):
    """Tells what happens in lines, and the state of the runs in one that is written over."""

    def message(self, text: str) -> None:
        """A plain line."""
        tell(text)

    def warning(self, text: str) -> None:
        """A line that stands out."""
        warn(text)

    def waiting(self, text: str) -> None:
        """The live line."""
        if is_live():
            tell_live(text)
