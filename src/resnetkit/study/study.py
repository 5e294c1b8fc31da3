"""A paper's experiment as data: a question, the networks it compares, what is read from them, what the paper says.

A study is a file of values, as ``studies/degradation.toml`` in this package, or one of the user's own. No torch here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import field
from typing import Any, Literal

from resnetkit.config import frozen, to_dict
from resnetkit.errors import Code, ResnetkitError, did_you_mean, require

MeasuredReading = Literal["response_std", "lesion_rise"]
RecordedReading = Literal[
    "test_error", "val_error", "train_error", "seconds", "parameters", "multiply_adds", "memory_bytes"
]
Reading = RecordedReading | MeasuredReading
EXACT: tuple[Reading, ...] = ("parameters", "multiply_adds", "memory_bytes")

RESERVED = {
    "seed": "the runs of an arm have the seeds 0, 1, …: say how many by the budget's num_seeds",
    "runtime.threads": "all runs of a budget have the same number of threads: say how many by its threads",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # names become folders


@frozen
class Published:
    """A figure of the paper.

    Attributes:
        value: as the paper prints it, errors in percent; ``fails``: the network did not converge.
        spread: what the paper writes behind ±.
        num_runs: of how many runs it is the mean or, as in arXiv:1603.05027, the median.
        reading: what it is a figure of; where it is no test error, tables say so.
        source: where it stands, if not where the study's ``source`` says.
    """

    value: float | Literal["fails"]
    spread: float | None = None
    num_runs: int | None = None
    reading: Reading = "test_error"
    source: str = ""

    def __str__(self) -> str:
        """The figure in words: ``6.61 ± 0.16 (5 runs)``."""
        if self.value == "fails":
            return "fails"
        spread = "" if self.spread is None else f" ± {self.spread:g}"
        return f"{self.value:.2f}{spread}" + (f" ({self.num_runs} runs)" if self.num_runs else "")


@frozen
class Arm:
    """One of the networks that are compared, trained once for each seed.

    Attributes:
        name: also part of the names of its folders: letters, digits, ``-``, ``_`` and ``.``.
        model: a network's name, or a variation of one: ``resnet110[join=dropout]``.
        settings: fields of the recipe by dotted path, after those of the budget.
        published: what the paper found; None: the paper does not say.
        panel: of the figure in which its curves are drawn, together with those of other arms.
    """

    name: str
    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    published: Published | None = None
    panel: str = ""

    def __post_init__(self) -> None:
        require(
            _NAME.fullmatch(self.name) is not None,
            f"an arm's name becomes the name of a folder, got '{self.name}'",
            fix="use letters, digits, '-', '_' and '.', and begin with a letter or digit",
        )
        _check_settings(self.settings, f"the arm '{self.name}'")
        own_data = next((path for path in self.settings if path.startswith("data.")), None)
        require(
            own_data is None,
            f"the arm '{self.name}' sets '{own_data}', but all runs of a study are of the same images",
            fix="set it in the budget",
        )


@frozen
class Claim:
    """A sentence of the paper that runs can speak for or against.

    Attributes:
        says: the sentence, in our words.
        ascending: two arms, the one with the lower reading first; or more, for a trend from the lowest to the highest.
        reading: what is compared.
        size_ratio: the largest of these networks may have this many times the parameters of the smallest, and no more:
            a claim that is not about depth or size must not be decided by them.
    """

    says: str
    ascending: tuple[str, ...]
    reading: Reading = "test_error"
    size_ratio: float = 1.05

    def __post_init__(self) -> None:
        require(len(self.ascending) >= 2, f"the claim '{self.says}' must name two arms or more, the lowest first")
        require(
            len(set(self.ascending)) == len(self.ascending),
            f"the claim '{self.says}' names an arm twice: {', '.join(self.ascending)}",
        )
        require(
            self.reading not in EXACT,
            f"the claim '{self.says}' is about {self.reading}, which is known before any run",
            fix="claim what chance can change; 'readings' puts it into the table",
        )


@frozen
class Budget:
    """Spending on a study: data, recipe and seeds.

    Attributes:
        data: a named data set, or an image folder.
        recipe: a recipe's name.
        num_seeds: runs of each arm, with seeds 0, 1, …
        settings: fields of the recipe by dotted path.
        arms: those that are run; empty: all.
        networks: other networks in place of the arms', by their names without brackets: ``{resnet110 = "resnet20"}``
            makes ``resnet20[join=dropout]`` of ``resnet110[join=dropout]``; of ``{resnet110 = "resnet20[stem=7x7]"}``
            comes ``resnet20[stem=7x7,join=dropout]``.
        threads: CPU threads of one run; a fixed number, so that results do not depend on how many runs go side by side.
        cost: what it took, where and when that was measured.
        note: what is not done as the paper did it.
    """

    data: str
    recipe: str
    num_seeds: int = 1
    settings: dict[str, Any] = field(default_factory=dict)
    arms: tuple[str, ...] = ()
    networks: dict[str, str] = field(default_factory=dict)
    threads: int = 1
    cost: str = "not measured"
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("num_seeds", "threads"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1, got {getattr(self, name)}")
        _check_settings(self.settings, "a budget")

    def network_of(self, arm: Arm) -> str:
        """The network that an arm trains with this budget."""
        name, bracket, variation = arm.model.partition("[")
        other = self.networks.get(name, name)
        if bracket and other.endswith("]"):
            return f"{other.removesuffix(']')},{variation}"
        return f"{other}{bracket}{variation}"

    def settings_of(self, arm: Arm) -> dict[str, Any]:
        """Fields of the recipe that the runs of an arm set: the budget's, then the arm's."""
        return {"runtime.threads": self.threads} | self.settings | arm.settings


@frozen
class Study:
    """A question, asked by training networks side by side.

    Attributes:
        name: by which it is run.
        title: a line.
        question: what it is to find out, in a sentence or two.
        why: what depends on the answer.
        source: the paper, and the figure or table; where it begins with ``ours``, no paper makes the claims.
        published_on: the data that the published figures are of; empty where there are none.
        readings: what is read from each run, for the table; what claims compare is read besides.
        arms, claims: in the order in which they are shown.
        budgets: by name; the shipped studies have ``smoke``, ``minutes``, ``hours`` and ``paper``.
    """

    name: str
    title: str
    question: str
    source: str
    arms: tuple[Arm, ...]
    claims: tuple[Claim, ...]
    budgets: dict[str, Budget]
    published_on: str = ""
    why: str = ""
    readings: tuple[Reading, ...] = ("test_error", "train_error", "seconds", "parameters", "multiply_adds")

    def __post_init__(self) -> None:
        require(
            _NAME.fullmatch(self.name) is not None, f"a study's name becomes the name of a folder, got '{self.name}'"
        )
        require(bool(self.budgets), "a study needs a budget", fix="e.g. [budgets.smoke]")
        names = [arm.name for arm in self.arms]
        require(len(names) >= 1, "a study needs an arm", fix="e.g. [[arms]]")
        twice = next((name for name in names if names.count(name) > 1), None)
        require(twice is None, f"two arms are called '{twice}'")
        for i, claim in enumerate(self.claims):
            _check_names(claim.ascending, names, f"claims.{i}.ascending")
        for name, budget in self.budgets.items():
            _check_names(budget.arms, names, f"budgets.{name}.arms")
        require(
            bool(self.published_on) or not self.has_figures,
            "'published_on' must say which data the published figures are of",
            fix='e.g. published_on = "CIFAR-10"',
        )

    @property
    def is_ours(self) -> bool:
        """Tell whether no paper makes the claims."""
        return self.source.lower().startswith("ours")

    @property
    def has_figures(self) -> bool:
        """Tell whether there are published figures."""
        return any(arm.published is not None for arm in self.arms)

    @property
    def all_readings(self) -> tuple[Reading, ...]:
        """Readings from each run, with what the claims compare."""
        return tuple(dict.fromkeys((*self.readings, *(claim.reading for claim in self.claims))))

    def budget(self, name: str) -> Budget:
        """The budget of a name.

        Raises:
            ResnetkitError: where there is none of that name.
        """
        if name not in self.budgets:
            raise ResnetkitError(
                Code.USAGE, f"{self.name} has no budget '{name}'", fix=did_you_mean(name, self.budgets)
            )
        return self.budgets[name]

    def arms_of(self, budget: Budget) -> tuple[Arm, ...]:
        """The arms that are run with a budget."""
        return tuple(arm for arm in self.arms if not budget.arms or arm.name in budget.arms)

    @property
    def digest(self) -> str:
        """The first 16 digits of the SHA-256 of all that the study says."""
        content = json.dumps(to_dict(self), sort_keys=True).encode()
        return hashlib.sha256(content).hexdigest()[:16]


def _check_settings(settings: Collection[str], of: str) -> None:
    for path, fix in RESERVED.items():
        require(path not in settings, f"{of} sets '{path}'", fix=fix)


def _check_names(given: Collection[str], known: Collection[str], field: str) -> None:
    for name in given:
        require(name in known, f"'{field}' names the unknown arm '{name}'", fix=did_you_mean(name, known))
