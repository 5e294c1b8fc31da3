"""Run the command line and die by SIGKILL at a named moment: ``python killed_run.py MOMENT COUNT ARGUMENTS…``.

The moments lie where a half-done action would show: before and after an update, while a checkpoint is being written,
between its rename and the removal of older ones, and around the files at the end of a run.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resnetkit import files
from resnetkit.classifier import classifier
from resnetkit.cli.app import main
from resnetkit.runs import folder
from resnetkit.training import final_scores, running_sums, steps


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(function: Callable[..., Any], count: int, *, before: bool) -> Callable[..., Any]:
    calls = 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if before and calls == count:
            die()
        result = function(*args, **kwargs)
        if calls == count:
            die()
        return result

    return wrapped


def arm(moment: str, count: int) -> None:
    match moment:
        case "before an update":
            running_sums.Tally.end_step = dying(running_sums.Tally.end_step, count, before=False)  # type: ignore[method-assign]
        case "after an update":
            steps.Steps.update = dying(steps.Steps.update, count, before=False)  # type: ignore[method-assign]
        case "while a checkpoint is written":
            Path.write_bytes = dying(Path.write_bytes, count, before=False)  # type: ignore[method-assign]
        case "before a checkpoint is renamed":
            files.os.rename = dying(os.rename, count, before=True)
        case "after a checkpoint is renamed":
            files.os.rename = dying(os.rename, count, before=False)
        case "before the classifier is written":
            classifier.Classifier.save = dying(classifier.Classifier.save, count, before=True)  # type: ignore[method-assign]
        case "after the classifier is written":
            classifier.Classifier.save = dying(classifier.Classifier.save, count, before=False)  # type: ignore[method-assign]
        case "after the answers are written":
            folder.write_answers = dying(folder.write_answers, count, before=False)
        case "after the report is written":
            final_scores.write_report = dying(final_scores.write_report, count, before=False)
        case "never":
            pass
        case _:
            raise ValueError(moment)


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    sys.argv = ["resnetkit", *sys.argv[3:]]
    main()
