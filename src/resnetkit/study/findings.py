"""Conclude from the runs of a study: means of every arm, a ruling on every claim, and what to be wary of."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from resnetkit.config import to_dict
from resnetkit.study.outcomes import Outcome, check_same_images, errors_by_image, read_outcome, read_value
from resnetkit.study.plan import StudyRecord, list_jobs
from resnetkit.study.reading_words import TITLES, difference_words
from resnetkit.study.study import Arm, Claim, Reading
from resnetkit.study.verdict import LEVEL, Difference, Estimate, Ruling, compare_arms, estimate_mean, rule_on_claims

Standing = Ruling | Literal["not yet", "not asked"]

LEADS: dict[Standing, str] = {
    "same direction": "Same direction as the paper: {says}.",
    "opposite": "Opposite of the paper, which says that {says}.",
    "not decided": "Not decided with this budget: whether {says}.",
    "not yet": "Not decided yet, for want of runs: whether {says}.",
    "not asked": "Not asked with this budget: whether {says}.",
}
# Of claims that no paper makes.
OWN_LEADS: dict[Standing, str] = LEADS | {
    "same direction": "Same direction as claimed: {says}.",
    "opposite": "Opposite of what is claimed, namely that {says}.",
}

NOT_YET = Difference(0.0, None, None, None, 0)


@dataclass(frozen=True)
class ArmFinding:
    """Runs of an arm and what they came to, as far as they are done."""

    arm: Arm
    network: str
    outcomes: tuple[Outcome, ...]
    estimates: dict[Reading, Estimate | None]

    @property
    def num_diverged(self) -> int:
        """Runs that did not converge."""
        return sum(outcome.status == "diverged" for outcome in self.outcomes)


@dataclass(frozen=True)
class ClaimFinding:
    """A claim and what the runs say about it.

    Attributes:
        arms: those it was tested on, in its order.
        sentence: the standing in words; ``figures``: what it rests on, empty where nothing was measured.
    """

    claim: Claim
    standing: Standing
    arms: tuple[str, ...]
    difference: Difference | None
    sentence: str
    figures: str


@dataclass(frozen=True)
class Findings:
    """All that a study has found so far.

    Attributes:
        remarks: sentences about how far the figures carry.
    """

    record: StudyRecord
    folder: Path
    arms: tuple[ArmFinding, ...]
    claims: tuple[ClaimFinding, ...]
    remarks: tuple[str, ...]

    @property
    def outcomes(self) -> list[Outcome]:
        """The runs, arm by arm."""
        return [outcome for finding in self.arms for outcome in finding.outcomes]

    @property
    def to_do(self) -> list[Outcome]:
        """The runs that have not come to their end."""
        return [outcome for outcome in self.outcomes if not outcome.is_done]

    @property
    def page(self) -> Path:
        """The page that tells all this."""
        return self.folder / "study.html"

    def as_values(self) -> dict[str, Any]:
        """The findings as JSON-ready values."""
        return {
            "study": self.record.study.name,
            "digest": self.record.digest,
            "budget": self.record.budget_name,
            "data": self.record.budget.data,
            "folder": str(self.folder),
            "page": str(self.page),
            "claims": [_claim_values(finding) for finding in self.claims],
            "arms": [_arm_values(finding) for finding in self.arms],
            "to_do": [str(outcome.job) for outcome in self.to_do],
            "remarks": list(self.remarks),
        }


def find_out(record: StudyRecord, folder: Path) -> Findings:
    """Read all runs of a study, as they are now, and conclude what can be concluded.

    Raises:
        ResnetkitError: where runs of the study are of different images.
    """
    outcomes = [read_outcome(job) for job in list_jobs(record, folder)]
    check_same_images(outcomes)
    arms = tuple(_arm_finding(record, arm, outcomes) for arm in record.arms)
    by_name = {finding.arm.name: finding for finding in arms}
    tested = [_tested_arms(claim, by_name) for claim in record.study.claims]
    differences = [_difference(claim, names, by_name) for claim, names in zip(record.study.claims, tested, strict=True)]
    # Those that are asked and yet to be tested count too: what is decided must not be undone when they are.
    asked = [one or NOT_YET for one, names in zip(differences, tested, strict=True) if names]
    rulings = iter(rule_on_claims(asked))
    claims = []
    for claim, names, difference in zip(record.study.claims, tested, differences, strict=True):
        ruling: Standing = next(rulings) if names else "not asked"
        standing = "not yet" if names and difference is None else ruling
        sentence = (OWN_LEADS if record.study.is_ours else LEADS)[standing].format(says=claim.says)
        own = [by_name[name] for name in names]
        figures = "" if difference is None else _figures(claim, own, difference, standing, len(asked))
        claims.append(ClaimFinding(claim, standing, names, difference, sentence, figures))
    return Findings(record, folder, arms, tuple(claims), tuple(_remarks(record, arms, len(asked))))


def _arm_finding(record: StudyRecord, arm: Arm, outcomes: Sequence[Outcome]) -> ArmFinding:
    own = tuple(outcome for outcome in outcomes if outcome.job.arm == arm.name)
    estimates: dict[Reading, Estimate | None] = {}
    for reading in record.study.all_readings:
        values = [value for outcome in own if (value := read_value(outcome, reading)) is not None]
        estimates[reading] = estimate_mean(values) if values else None
    return ArmFinding(arm, record.budget.network_of(arm), own, estimates)


def _tested_arms(claim: Claim, arms: dict[str, ArmFinding]) -> tuple[str, ...]:
    """The arms of a claim that are run; of a trend, some may be missing."""
    names = tuple(name for name in claim.ascending if name in arms)
    return names if len(names) >= 2 else ()


def _difference(claim: Claim, names: Sequence[str], arms: dict[str, ArmFinding]) -> Difference | None:
    """The difference that a claim is about; None before all its runs are done, and where there is nothing to compare.

    Runs that are there already decide nothing before the others: who stops when a result pleases will find one.
    """
    outcomes = [arms[name].outcomes for name in names]
    if not names or not all(outcome.is_done for own in outcomes for outcome in own):
        return None
    values = [[read_value(outcome, claim.reading) for outcome in own] for own in outcomes]
    seeds = [seed for seed, of_seed in enumerate(zip(*values, strict=True)) if None not in of_seed]
    if not seeds:
        return None
    by_image = [errors_by_image(own) for own in outcomes] if claim.reading == "test_error" else [None]
    images = None if any(one is None for one in by_image) else np.array(by_image)
    return compare_arms(np.array([[own[seed] for seed in seeds] for own in values], dtype=float), images)


def _figures(
    claim: Claim, arms: Sequence[ArmFinding], difference: Difference, standing: Standing, num_claims: int
) -> str:
    """Words for what a standing rests on, with all that the sentence of the claim does not say."""
    title, names = TITLES[claim.reading], [finding.arm.name for finding in arms]
    what = f"{title} of {names[1]} minus that of {names[0]}"
    if len(names) > 2:
        what = f"rise of the {title} from {names[0]} to {names[-1]}, by the best line through {len(names)} arms"
    parts = [f"{what}: {difference_words(claim.reading, difference)}"]
    missing = [name for name in claim.ascending if name not in names]
    parts += [f"without {', '.join(missing)}, not run with this budget"] if missing else []
    if standing == "same direction":
        parts += [f"yet {before} is above {after}" for before, after in _falls(claim, arms)]
    elif standing == "not decided":
        parts += _why_undecided(difference, num_claims)
    return "; ".join(parts)


def _falls(claim: Claim, arms: Sequence[ArmFinding]) -> list[tuple[str, str]]:
    """Neighbours in a trend that rises, the mean of the second of which is below that of the first."""
    means = [(finding.arm.name, one.mean) for finding in arms if (one := finding.estimates[claim.reading])]
    return [(before, after) for (before, high), (after, low) in pairwise(means) if high > low]


def _why_undecided(difference: Difference, num_claims: int) -> list[str]:
    if difference.num_seeds == 1:
        return ["from one run of each nobody can tell how far chance goes"]
    if difference.p_value is None:
        return ["the differences do not vary, so nobody can tell how far chance goes"]
    if difference.p_value <= LEVEL:
        return [f"enough for one claim, too little for {num_claims} that are tested together"]
    return []


def _remarks(record: StudyRecord, arms: Sequence[ArmFinding], num_claims: int) -> list[str]:
    study, budget = record.study, record.budget
    remarks = []
    if record.is_on_other_data:
        name = Path(budget.data).name
        remarks.append(
            f"The published figures are of {study.published_on}, these runs of {name}: compare directions, not numbers."
        )
    if budget.networks:
        pairs = ", ".join(f"{ours} in place of {theirs}" for theirs, ours in budget.networks.items())
        remarks.append(f"Not the {'study' if study.is_ours else 'paper'}'s networks: {pairs}.")
    if record.budget_name != "paper" and not study.is_ours:
        settings = "".join(f", {path}={value}" for path, value in budget.settings.items())
        remarks.append(f"Budget {record.budget_name} is not the paper's training: recipe {budget.recipe}{settings}.")
    if budget.note:
        remarks.append(f"Budget {record.budget_name}: {' '.join(budget.note.split())}")
    if budget.num_seeds == 1:
        remarks.append("One run of each arm: means have no interval, and no claim can be decided.")
    if num_claims > 1:
        next_one = f"the next at most 0.05 / {num_claims - 1}{', and so on' if num_claims > 2 else ''}"
        remarks.append(
            f"{num_claims} claims are tested together, so by Holm's procedure the smallest p must be at most "
            f"0.05 / {num_claims}, {next_one}."
        )
    for finding in arms:
        if finding.num_diverged:
            guess = next(one for one in finding.outcomes if one.status == "diverged").guess_error
            remarks.append(
                f"{finding.arm.name} did not converge in {finding.num_diverged} of {len(finding.outcomes)} runs, which "
                f"count as one who guesses, with {guess:.0f} % errors."
            )
    outcomes = [outcome for finding in arms for outcome in finding.outcomes]
    by_val = [one.result for one in outcomes if one.result is not None and one.result.judged_split == "val"]
    if by_val:
        chose = ", which chose epochs too" if any(result.val_chose for result in by_val) else ""
        remarks.append(f"The data have no test images: the test error is that of validation{chose}.")
    machines = {_machine(one) for one in outcomes if one.record is not None}
    if len(machines) > 1:
        remarks.append(f"The runs were computed in different places: {'; '.join(sorted(machines))}.")
    return remarks


def _machine(outcome: Outcome) -> str:
    """The place where a run was computed, as far as it can change the result."""
    assert outcome.record is not None
    environment = outcome.record.environment
    keys = ("device", "gpu", "processor", "cpu_capability", "precision", "torch", "resnetkit")
    return ", ".join(f"{environment[key]}" for key in keys if environment.get(key))


def _claim_values(finding: ClaimFinding) -> dict[str, Any]:
    difference = finding.difference
    return {
        "says": finding.claim.says,
        "standing": finding.standing,
        "sentence": finding.sentence,
        "figures": finding.figures,
        "reading": finding.claim.reading,
        "arms": list(finding.arms),
        "difference": None if difference is None else to_dict(difference),
    }


def _arm_values(finding: ArmFinding) -> dict[str, Any]:
    return {
        "name": finding.arm.name,
        "network": finding.network,
        "published": None if finding.arm.published is None else to_dict(finding.arm.published),
        "readings": {name: None if one is None else to_dict(one) for name, one in finding.estimates.items()},
        "runs": [
            {
                "seed": outcome.job.seed,
                "status": outcome.status,
                "run": None if outcome.run is None else str(outcome.run.path),
                "command": shlex.join(outcome.job.command),
            }
            for outcome in finding.outcomes
        ],
    }
