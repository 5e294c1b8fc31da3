"""The trackers there are, as one table; nothing is imported before one is opened."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module

from resnetkit.errors import Code, ResnetkitError, did_you_mean, first_line
from resnetkit.runs.background import InBackground
from resnetkit.runs.events import Listener
from resnetkit.runs.folder import RunFolder
from resnetkit.tracking.follower import Follower
from resnetkit.tracking.tracker import Tracker


@dataclass(frozen=True)
class TrackerKind:
    """One tracker.

    Attributes:
        opener: ``module:class`` of a :class:`~resnetkit.tracking.tracker.Tracker`.
        trace: what it leaves in a run folder, by which a run that is resumed knows that it is tracked.
        description: of what is kept, and where.
        viewer: what to type to see it, with ``{}`` for the run folder.
        seen: what it is that one sees, as a pattern in the run folder.
        extra: of this project, which installs what it needs; empty for nothing.
    """

    name: str
    opener: str
    trace: str
    description: str
    viewer: str
    seen: str
    extra: str = ""

    def open(self) -> Tracker:
        """The tracker.

        Raises:
            ResnetkitError: where what it needs is not installed, or does not load.
        """
        module, _, name = self.opener.partition(":")
        try:
            tracker: Tracker = getattr(import_module(f"resnetkit.tracking.{module}"), name)()
        except Exception as error:  # whatever another project's code raises
            if not self.extra:
                raise
            what, why = f"--track {self.name} needs a package that does not load", first_line(error)
            if isinstance(error, ModuleNotFoundError):
                package = (error.name or self.name).partition(".")[0]
                what, why = f"--track {self.name} needs {package}, which is not installed", ""
            fix = f"pip install 'resnetkit[{self.extra}]', or --track csv, which needs nothing"
            raise ResnetkitError(Code.USAGE, what, why=why, fix=fix) from error
        return tracker

    def tell_viewer(self, folder: RunFolder) -> str:
        """Return what to type to see what is kept of a run; empty where there is nothing to be seen there."""
        return self.viewer.format(shlex.quote(str(folder.path))) if any(folder.path.glob(self.seen)) else ""


TRACKERS: Mapping[str, TrackerKind] = {
    kind.name: kind
    for kind in (
        TrackerKind(
            "csv",
            "metrics_table:MetricsTable",
            "metrics.csv",
            "metrics.csv in the run folder, a number in each row",
            "{}/metrics.csv",
            "metrics.csv",
        ),
        TrackerKind(
            "tensorboard",
            "tensorboard_files:EventFiles",
            "tensorboard",
            "event files in the run folder",
            "tensorboard --logdir {}",
            "tensorboard/events.*",
            extra="tensorboard",
        ),
        TrackerKind(
            "wandb",
            "wandb_runs:WandbRuns",
            "wandb",
            "offline in the run folder, unless WANDB_MODE=online asks for an upload",
            "wandb sync {}/wandb/offline-run-*  (uploads it)",
            "wandb/offline-run-*",
            extra="wandb",
        ),
        TrackerKind(
            "mlflow",
            "mlflow_runs:MlflowRuns",
            "mlflow",
            "files in the run folder, or the server that MLFLOW_TRACKING_URI names",
            "MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri {}/mlflow/store",
            "mlflow/store",
            extra="mlflow",
        ),
    )
}


def check_names(names: Iterable[str]) -> None:
    """Refuse a tracker of a name that there is not.

    Raises:
        ResnetkitError: with the nearest one.
    """
    for name in names:
        if name not in TRACKERS:
            raise ResnetkitError(Code.USAGE, f"unknown tracker '{name}'", fix=did_you_mean(name, TRACKERS))


def open_trackers(names: Iterable[str]) -> tuple[Listener, ...]:
    """Listeners that keep a run, one for each tracker; the run does not wait for them.

    Raises:
        ResnetkitError: for an unknown name, or where what a tracker needs is not installed.
    """
    chosen = tuple(dict.fromkeys(names))
    check_names(chosen)
    return tuple(InBackground(Follower(name, TRACKERS[name].open())) for name in chosen)


def trackers_of(folder: RunFolder) -> tuple[str, ...]:
    """The trackers that keep a run already, by name."""
    return tuple(name for name, kind in TRACKERS.items() if (folder.path / kind.trace).exists())
