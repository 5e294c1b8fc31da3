"""Run a study to its end, from wherever it is: the verb ``run_study``."""

from __future__ import annotations

from pathlib import Path

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.files import locked
from resnetkit.machine.threads import may_have_gpu, num_physical_cores
from resnetkit.study.findings import Findings, find_out
from resnetkit.study.page import write_page
from resnetkit.study.places import LocalProcess, Start
from resnetkit.study.plan import (
    RECORD_NAME,
    default_folder,
    list_jobs,
    make_record,
    open_folder,
    plan_arms,
    read_record,
)
from resnetkit.study.ray_cluster import RayPlace
from resnetkit.study.session import Session, StudyListener
from resnetkit.study.shipped import list_studies, open_study
from resnetkit.study.study import Budget, Study

MOST_ON_GPU = 4  # that share it, as long as nobody says how many it has memory for


def run_study(
    study: str | Path | Study,
    *,
    budget: str | None = None,
    data: str | None = None,
    num_seeds: int | None = None,
    num_jobs: int | None = None,
    out: str | Path | None = None,
    place: str | Start | None = None,
    listener: StudyListener | None = None,
) -> Findings:
    """Train all networks of a study and conclude; one that was stopped, at whatever moment, goes on where it was.

    Each run is trained by a process of its own, by the command that a person would type, into an ordinary run folder.

    Args:
        study: a shipped study's name, a ``.toml`` file, a study, or the folder of one that was begun, to go on with it.
        budget: the name of one of its budgets; None: ``smoke``.
        data: a named data set or an image folder, in place of the budget's.
        num_seeds: runs of each arm, in place of the budget's.
        num_jobs: runs side by side; None: as many as the cores, or the cluster, have room for.
        out: folder of the study; None: ``studies/NAME-BUDGET``.
        place: where runs are computed: None: in processes of this machine; the address of a Ray cluster, as
            :class:`~resnetkit.study.ray_cluster.RayPlace` takes it; or what starts them elsewhere.

    Raises:
        ResnetkitError: for unknown names, unusable data, a folder of another study, and when a run fails; to diverge is
            no failure but a result.
        Interrupted: on SIGINT or SIGTERM, after all runs have written a checkpoint.
    """
    listener = listener or StudyListener()
    require(num_jobs is None or num_jobs >= 1, f"at least 1 run must be computed at a time, got {num_jobs}")
    if isinstance(study, str | Path) and _is_begun(study):
        require(
            (budget, data, num_seeds, out) == (None,) * 4,
            f"{study} goes on as it was started, with its own budget, data and seeds",
            fix="run the study anew to change something, by its name",
        )
        folder, record = Path(study), read_record(Path(study))
    else:
        study = study if isinstance(study, Study) else open_study(str(study))
        record = make_record(study, budget or "smoke", data=data, num_seeds=num_seeds)
        folder = Path(default_folder(record) if out is None else out)
    arms = plan_arms(record)
    jobs = list_jobs(record, folder)
    if isinstance(place, str):
        start: Start = RayPlace(place, record.budget.threads)
        num_places = num_jobs or len(jobs)  # the cluster lets them wait
    else:
        start = place or LocalProcess
        num_places = num_jobs or _places_here(record.budget)
    open_folder(folder, record)
    taken = ResnetkitError(Code.USAGE, f"another process is running the study in {folder}", fix="wait for it")
    with locked(folder, if_taken=taken):
        for text in dict.fromkeys(text for arm in arms.values() for text in arm.warnings):
            names = (name for name, arm in arms.items() if text in arm.warnings)
            listener.warning(f"{', '.join(names)}: {text}")
        failed = Session(jobs, arms, record.study.all_readings, start, num_places, listener).run_all()
        findings = find_out(record, folder)
        write_page(findings)
    require(
        not failed,
        f"{len(failed)} of {len(jobs)} runs failed; {findings.page} has the others",
        why="\n".join(failed),
        fix="the same command tries them again and repeats none that is done; move a damaged run away",
        code=Code.CHECK_FAILED,
    )
    return findings


def _places_here(budget: Budget) -> int:
    """Runs that this machine has room for: by its cores, and on a GPU no more than :data:`MOST_ON_GPU`."""
    by_cores = max(1, num_physical_cores() // budget.threads)
    may_use_gpu = budget.settings.get("runtime.device") != "cpu" and may_have_gpu()
    return min(by_cores, MOST_ON_GPU) if may_use_gpu else by_cores


def _is_begun(study: str | Path) -> bool:
    """Tell whether a study's folder is meant; a shipped study's name is that study, whatever folder has the same."""
    return study not in list_studies() and (Path(study) / RECORD_NAME).is_file()


def report_study(folder: str | Path) -> Findings:
    """Conclude from what there is of a study in a folder, and write its page.

    Raises:
        ResnetkitError: where the folder holds no study.
    """
    findings = find_out(read_record(Path(folder)), Path(folder))
    write_page(findings)
    return findings
