"""Everything that decides a training run, as one frozen value that reads from and writes to JSON (no torch here)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from resnetkit.config import frozen
from resnetkit.data.spec import Augmentation, DataSpec
from resnetkit.errors import did_you_mean, require
from resnetkit.images.spec import Preprocessing
from resnetkit.machine.precision import Precision
from resnetkit.models.spec import ResNetSpec
from resnetkit.recipes.demands import NO_DEMANDS, Demands

Switch = Literal["auto", "on", "off"]


@frozen
class RuntimeSpec:
    """Settings of computing; ``auto`` is decided for the device.

    Attributes:
        device: ``auto`` (a CUDA GPU where there is one, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``bf16`` computes convs and matrix products in bfloat16 while training; auto: on CUDA devices that
            have it and on CPUs with AMX. Validation, the final scores and the report are computed in float32.
        compile: run the network through torch.compile; auto: on CUDA, and on CPUs for a run of some minutes or more.
        threads: CPU threads; None: as many as torch chooses.
        deterministic: only algorithms that give the same bits each time; bit-exact resume needs it.
    """

    device: str = "auto"
    precision: Literal["auto"] | Precision = "auto"
    compile: Switch = "auto"
    threads: int | None = None
    deterministic: bool = True

    def __post_init__(self) -> None:
        require(self.threads is None or self.threads >= 1, f"runtime.threads must be at least 1, got {self.threads}")


@frozen
class Sgd:
    """Stochastic gradient descent with (Nesterov) momentum."""

    learning_rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    kind: Literal["sgd"] = "sgd"

    def __post_init__(self) -> None:
        require(self.learning_rate > 0, f"optimizer.learning_rate must be above 0, got {self.learning_rate}")
        require(0 <= self.momentum < 1, f"optimizer.momentum must be in [0, 1), got {self.momentum}")
        require(
            not self.nesterov or self.momentum > 0,
            "Nesterov momentum needs a momentum above 0",
            fix="set optimizer.nesterov=false",
        )
        require(self.weight_decay >= 0, f"optimizer.weight_decay must be 0 or more, got {self.weight_decay}")


@frozen
class AdamW:
    """Adam with decoupled weight decay (arXiv:1711.05101); without decay it is Adam (arXiv:1412.6980)."""

    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.05
    kind: Literal["adamw"] = "adamw"

    def __post_init__(self) -> None:
        require(self.learning_rate > 0, f"optimizer.learning_rate must be above 0, got {self.learning_rate}")
        require(all(0 <= b < 1 for b in self.betas), f"optimizer.betas must be in [0, 1), got {self.betas}")
        require(self.weight_decay >= 0, f"optimizer.weight_decay must be 0 or more, got {self.weight_decay}")


@frozen
class Muon:
    """Momentum made orthogonal (Jordan et al. 2024) for the convs of the stages, SGD for stem, head, norms and biases.

    Attributes:
        learning_rate, momentum, weight_decay: of orthogonal steps, whose length no gradient decides; decoupled decay.
        sgd_learning_rate, sgd_momentum, sgd_weight_decay: of the others; both rates follow the schedule.
    """

    learning_rate: float = 0.05
    momentum: float = 0.6
    weight_decay: float = 0.1
    sgd_learning_rate: float = 0.1
    sgd_momentum: float = 0.9
    sgd_weight_decay: float = 5e-4
    kind: Literal["muon"] = "muon"

    def __post_init__(self) -> None:
        for name in ("learning_rate", "sgd_learning_rate"):
            require(getattr(self, name) > 0, f"optimizer.{name} must be above 0, got {getattr(self, name)}")
        for name in ("weight_decay", "sgd_weight_decay"):
            require(getattr(self, name) >= 0, f"optimizer.{name} must be 0 or more, got {getattr(self, name)}")
        require(0 <= self.momentum < 1, f"optimizer.momentum must be in [0, 1), got {self.momentum}")
        require(0 < self.sgd_momentum < 1, f"optimizer.sgd_momentum must be in (0, 1), got {self.sgd_momentum}")


Optimizer = Annotated[Sgd | AdamW | Muon, Field(discriminator="kind")]


@frozen
class Schedule:
    """The learning rate over a run, as a share of the optimizer's ``learning_rate``.

    Attributes:
        shape: after the warm-up; ``step`` multiplies by ``step_factor`` at each of ``milestones``.
        warmup_share: the rate grows evenly from near 0 over this share of the run, in [0, 1).
        final_share: where cosine and linear end.
        milestones: shares of the whole run, in [0, 1].
    """

    shape: Literal["cosine", "linear", "step", "constant"] = "cosine"
    warmup_share: float = 0.0
    final_share: float = 0.0
    milestones: tuple[float, ...] = (0.5, 0.75)
    step_factor: float = 0.1

    def __post_init__(self) -> None:
        require(0 <= self.warmup_share < 1, f"schedule.warmup_share must be in [0, 1), got {self.warmup_share}")
        require(0 <= self.final_share <= 1, f"schedule.final_share must be in [0, 1], got {self.final_share}")
        require(
            all(0 <= milestone <= 1 for milestone in self.milestones),
            f"schedule.milestones must be in [0, 1], got {self.milestones}",
            fix="give shares of the run, e.g. [0.5, 0.75]",
        )
        require(self.step_factor > 0, f"schedule.step_factor must be above 0, got {self.step_factor}")


@frozen
class FineTuning:
    """The start of training and what it may change; by default, fresh weights and everything.

    A network's parts are, from below, ``stem stage1 stage2 … head``, see :func:`part_names`.

    Attributes:
        weights: file, or folder of a finished run, to start from; None: weights drawn afresh.
        entry: which of several networks a checkpoint of others holds.
        reset_head: start with a fresh head all the same, e.g. for other classes.
        adapt_channels: change the first conv of the weights to the images' number of channels.
        freeze: this part and all below it are held: no updates, no weight decay, norms with fixed statistics, no
            dropout; ``none``: all parts train.
        thaw_every_epochs: after every so many epochs the highest frozen part trains too (arXiv:1801.06146); 0: never.
        thaw_to: the lowest part that thaws; those below it are held to the end. By default, all thaw in their turn.
        restart_at_thaw: the schedule of the learning rate begins anew at every thaw, and ends at the next.
        hold_statistics: batch norms keep the statistics of the weights in parts that train too, as suits few images.
        layer_decay: a part's learning rate is this many times that of the part above it (arXiv:1801.06146).
        head_factor: the head's learning rate is this many times the optimizer's.
    """

    weights: str | None = None
    entry: str | None = None
    reset_head: bool = False
    adapt_channels: bool = False
    freeze: str = "none"
    thaw_every_epochs: int = 0
    thaw_to: str = "stem"
    restart_at_thaw: bool = False
    hold_statistics: bool = False
    layer_decay: float = 1.0
    head_factor: float = 1.0

    def __post_init__(self) -> None:
        require(
            self.thaw_every_epochs >= 0,
            f"fine_tuning.thaw_every_epochs must be 0 or more, got {self.thaw_every_epochs}",
        )
        require(0 < self.layer_decay <= 1, f"fine_tuning.layer_decay must be in (0, 1], got {self.layer_decay}")
        require(self.head_factor > 0, f"fine_tuning.head_factor must be above 0, got {self.head_factor}")


def part_names(num_stages: int) -> tuple[str, ...]:
    """The parts of a network that fine-tuning tells apart, from below; a tail belongs to the last stage.

    >>> part_names(3)
    ('stem', 'stage1', 'stage2', 'stage3', 'head')
    """
    return ("stem", *(f"stage{i + 1}" for i in range(num_stages)), "head")


@frozen
class Recipe:
    """A whole training run.

    Attributes:
        name, model_name: what the recipe and the network are called; the values below decide.
        batch_size: images per update, over all processes.
        accumulate_steps: each update adds up the gradients of this many parts of its batch, to save memory.
        ema_decay: decay per step of the averaged weights that are evaluated and kept; 0: no averaging.
        max_gradient_norm: longer gradients are shortened to this; None: never.
        class_weights: weight of each class in the loss: ``balanced`` (inverse to its number of images), a number for
            each class in order, or numbers by class name, 1 for those that are not named.
        validate_every_epochs: validation comes after every so many epochs, and after the last.
        early_stopping_epochs: stop at a validation that comes so many epochs or more after the best one; 0: never.
        selection: which validation score is the best: ``top1``, the share of images, or ``balanced``, the mean of the
            classes' recalls, which :func:`~resnetkit.recipes.advice.choose` takes where classes are weighted.
        keep: the classifier is that of the validated epoch with the best score, or of the last epoch.
        fine_tuning: where training starts and which parts it changes, how fast.
        decision: what the classifier's answers are to keep to, by thresholds that val sets at the end.
        checkpoint_seconds: from one checkpoint to the next; one is written after the last epoch too.
    """

    name: str
    model_name: str
    model: ResNetSpec
    data: DataSpec
    preprocessing: Preprocessing
    augmentation: Augmentation = Augmentation()
    optimizer: Optimizer = Sgd()
    schedule: Schedule = Schedule()
    epochs: int = 10
    batch_size: int = 128
    accumulate_steps: int = 1
    label_smoothing: float = 0.0
    ema_decay: float = 0.0
    max_gradient_norm: float | None = None
    class_weights: Literal["none", "balanced"] | tuple[float, ...] | dict[str, float] = "none"
    validate_every_epochs: int = 1
    early_stopping_epochs: int = 0
    selection: Literal["top1", "balanced"] = "top1"
    keep: Literal["best", "last"] = "best"
    fine_tuning: FineTuning = FineTuning()
    decision: Demands = NO_DEMANDS
    seed: int = 0
    checkpoint_seconds: float = 60.0
    runtime: RuntimeSpec = RuntimeSpec()

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulate_steps", "validate_every_epochs"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("early_stopping_epochs", "seed", "checkpoint_seconds"):
            require(getattr(self, name) >= 0, f"{name} must be 0 or more, got {getattr(self, name)}")
        for name in ("label_smoothing", "ema_decay"):
            require(0 <= getattr(self, name) < 1, f"{name} must be in [0, 1), got {getattr(self, name)}")
        require(
            self.max_gradient_norm is None or self.max_gradient_norm > 0,
            f"max_gradient_norm must be above 0, or null for none, got {self.max_gradient_norm}",
        )
        require(
            self.batch_size % self.accumulate_steps == 0,
            f"batch_size ({self.batch_size}) must be a multiple of accumulate_steps ({self.accumulate_steps})",
        )
        require(
            self.model.in_channels == self.preprocessing.channels,
            f"the network reads {self.model.in_channels} channels, the preprocessing gives "
            f"{self.preprocessing.channels}",
            fix="set model.in_channels and preprocessing.channels (with its mean and std) alike",
        )
        freeze, thaw_to, highest = self.fine_tuning.freeze, self.fine_tuning.thaw_to, self.parts[-2]
        for verb, part, known in (("freeze", freeze, ("none", *self.parts)), ("thaw", thaw_to, self.parts)):
            require(
                part in known,
                f"no part '{part}' to {verb}: the network has {', '.join(self.parts)}",
                fix=did_you_mean(part, known),
            )
        require(
            freeze != "head",
            "with the head frozen too, nothing is left to train",
            fix=f"--freeze {highest} trains the head alone",
        )
        require(
            freeze == "none" or self.parts.index(thaw_to) <= self.parts.index(freeze),
            f"fine_tuning.thaw_to={thaw_to} is above what is frozen (fine_tuning.freeze={freeze}), so nothing thaws",
            fix=f"name {freeze} or a part below it",
        )

    @property
    def validation_chooses(self) -> bool:
        """Validation scores decide which epoch the classifier is of: as the best of several, or where training ended.

        Asked by whatever says what a validation score is worth: it is a little optimistic exactly where this is so.
        """
        num_validations = math.ceil(self.epochs / self.validate_every_epochs)
        return num_validations > 1 and (self.keep == "best" or self.early_stopping_epochs > 0)

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the network's parts, from below."""
        return part_names(len(self.model.depths))


@dataclass(frozen=True)
class Chosen:
    """A recipe and, in sentences, why it is what it is and what to be wary of.

    Attributes:
        settings: stated fields, with the weights that were found, which choose the same again.
    """

    recipe: Recipe
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
