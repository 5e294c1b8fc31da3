"""Measure calibration, unknown images, sets and sure answers, for trust.md.

Half of CIFAR-10's test images fit a decision, the other half judges it; in several random halves.

    python benchmarks/trust.py WEIGHTS.th --cifar10 FOLDER --unknown cifar100=FOLDER --unknown photos=FOLDER

``--cifar10`` names the folder that holds ``cifar-10-batches-bin``; ``--unknown`` a folder of images of other classes.
"""

import argparse
import statistics
from collections.abc import Iterable
from pathlib import Path
from unittest.mock import patch

import numpy as np

from resnetkit import open_classifier
from resnetkit.classifier.decision import Decision, familiarity
from resnetkit.classifier.prediction import Predictor
from resnetkit.classifier.yardstick import NO_DIGESTS
from resnetkit.data.spec import DataSpec
from resnetkit.evaluation import fitted_decision
from resnetkit.evaluation.answers import Answers
from resnetkit.evaluation.calibration import measure_calibration
from resnetkit.evaluation.decision_scores import score_decision, separation
from resnetkit.evaluation.fitted_decision import fit_decision
from resnetkit.evaluation.metrics import log_loss
from resnetkit.evaluation.scoring import load_to_score
from resnetkit.folders.image_folder import find_images
from resnetkit.images.prepared_inputs import iter_prepared, stack_readable
from resnetkit.inference.torch_engines import plain_predictor
from resnetkit.recipes.demands import Demands

NUM_DRAWN = 2000


def drawn_images() -> dict[str, np.ndarray]:
    """Images of nothing, uint8 (N, 32, 32, 3): noise, blots, one colour, stripes and checks."""
    draws = np.random.default_rng(0)
    shape = (NUM_DRAWN, 32, 32, 3)
    rows, columns = np.mgrid[:32, :32]
    angle, period, phase = (draws.uniform(0, high, (NUM_DRAWN, 1, 1)) for high in (np.pi, 1, 2 * np.pi))
    period = 2 + 14 * period
    along = rows * np.sin(angle) + columns * np.cos(angle)
    across = rows * np.cos(angle) - columns * np.sin(angle)
    waves = [0.5 + 0.5 * np.sin(2 * np.pi * way / period + phase) for way in (along, across)]
    pattern = waves[0] * np.where(np.arange(NUM_DRAWN)[:, None, None] % 2, waves[1], 1)
    low, high = draws.uniform(0, 255, (2, NUM_DRAWN, 1, 1, 3))
    return {
        "noise, uniform": draws.integers(0, 256, shape, dtype=np.uint8),
        "noise, normal": draws.normal(128, 64, shape).clip(0, 255).astype(np.uint8),
        "noise in 8 px blocks": draws.integers(0, 256, (NUM_DRAWN, 4, 4, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2),
        "one colour": np.broadcast_to(draws.integers(0, 256, (NUM_DRAWN, 1, 1, 3), dtype=np.uint8), shape).copy(),
        "stripes and checks": (low + (high - low) * pattern[..., None]).astype(np.uint8),
    }


def spread(values: Iterable[float], digits: int = 2, scale: float = 100) -> str:
    """Mean and standard deviation over the halves."""
    found = [scale * value for value in values]
    return f"{statistics.mean(found):.{digits}f} ± {statistics.stdev(found):.{digits}f}"


def read_arguments(words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=words)
    parser.add_argument("weights")
    parser.add_argument("--cifar10", required=True)
    parser.add_argument("--unknown", action="append", default=[])
    parser.add_argument("--halves", type=int, default=10)
    return parser.parse_args()


def read_images(arguments: argparse.Namespace, predictor: Predictor) -> tuple[np.ndarray, np.ndarray, dict]:
    """CIFAR-10's test images (N, 3, 32, 32) with their labels (N,), and others by name, all prepared."""
    spec = DataSpec("cifar10", data_dir=arguments.cifar10, validation_fraction=0.0)
    _, loaded, _ = load_to_score(predictor, spec, split="test")
    test = loaded.splits["test"]
    folders = (text.partition("=") for text in arguments.unknown)
    given = {name: find_images(Path(folder))[0] for name, _, folder in folders}
    others = {
        name: np.concatenate([stack_readable(batch, fix="") for batch in prepared(predictor, images)])
        for name, images in {**given, **drawn_images()}.items()
    }
    return test.images.read(np.arange(len(test))), test.labels, others


def prepared(predictor: Predictor, images) -> Iterable:
    return iter_prepared(images, predictor.preprocessing, predictor.limits, batch_size=256)


def halves_of(num_images: int, num_halves: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random halves of positions: the first fits, the other judges."""
    orders = (np.random.default_rng(seed).permutation(num_images) for seed in range(num_halves))
    return [(order[: num_images // 2], order[num_images // 2 :]) for order in orders]


def main() -> None:
    arguments = read_arguments(__doc__.partition("\n")[0])
    predictor = plain_predictor(open_classifier(arguments.weights), batch_size=256)
    test, labels, images = read_images(arguments, predictor)
    logits, halves = predictor.engine.logits(test), halves_of(len(labels), arguments.halves)
    others = {name: familiarity(predictor.engine.logits(pixels)) for name, pixels in images.items()}
    tell_calibration(logits, labels, halves)
    tell_few(logits, labels)
    tell_unknown(logits, labels, halves, others)
    tell_sets(predictor, logits, labels, halves)


def tell_calibration(logits, labels, halves) -> None:
    print("| fitted to | temperature | ECE | ECE, equal numbers | log loss | floor |")
    before = [measure_calibration(Decision().probabilities(logits[judge]), labels[judge]) for _, judge in halves]
    tell_row("nothing", [1.0] * len(halves), before)
    for size in (50, 200, 1000, 5000):
        fitted = [fit_decision(logits[fit[:size]], labels[fit[:size]], NO_DIGESTS, "half") for fit, _ in halves]
        after = [
            measure_calibration(Decision(one.temperature).probabilities(logits[judge]), labels[judge])
            for one, (_, judge) in zip(fitted, halves, strict=True)
        ]
        tell_row(f"{size:,} images", [one.temperature for one in fitted], after)


def tell_few(logits, labels) -> None:
    """Temperatures fitted to few images that are nearly all answered rightly, with and without half a mistaken one."""
    highest = np.sort(logits[:, 0], axis=1)
    margins = highest[:, -1] - highest[:, -2]
    clear = np.flatnonzero(margins > np.quantile(margins, 0.25))
    for size in (50, 200, 1000):
        losses = {0.0: [], fitted_decision.MISTAKEN: [], None: []}
        for seed in range(30):
            order = np.random.default_rng(seed).permutation(clear)
            fit, judge = order[:size], order[size : size + 3000]
            for mistaken, found in losses.items():
                with patch.object(fitted_decision, "MISTAKEN", mistaken):
                    fitted = 1.0 if mistaken is None else fitted_decision.fit_temperature(logits[fit], labels[fit])
                found.append(log_loss(Decision(fitted).probabilities(logits[judge]), labels[judge]))
        print(
            f"{size} clear images: log loss", {key: round(statistics.mean(found), 4) for key, found in losses.items()}
        )


def tell_row(name, temperatures, measured) -> None:
    print(
        f"| {name} | {spread(temperatures, 3, 1)} | {spread(m.ece for m in measured)} | "
        f"{spread(m.adaptive_ece for m in measured)} | {spread((m.log_loss for m in measured), 4, 1)} | "
        f"{spread(m.floor for m in measured)} |"
    )


def tell_unknown(logits, labels, halves, others) -> None:
    known = familiarity(logits)
    fitted = [fit_decision(logits[fit], labels[fit], NO_DIGESTS, "half") for fit, _ in halves]
    thresholds = [one.granted(Demands(unknown_at=0.05))[0].unknown for one in fitted]
    print("| images | n | AUROC | FPR95 | called unknown at 5 % |")
    for name, values in others.items():
        found = [separation(known[judge], values) for _, judge in halves]
        called = [float(unknown.holds(values).mean()) for unknown in thresholds]
        print(
            f"| {name} | {len(values):,} | {spread((f.auroc for f in found), 1)} | "
            f"{spread((f.fpr95 for f in found), 1)} | {spread(called, 1)} |"
        )


def tell_sets(predictor: Predictor, logits, labels, halves) -> None:
    demands = [Demands(coverage=share, set_rule=rule) for rule in ("lac", "aps") for share in (0.9, 0.95, 0.99)]
    demands += [Demands(precision_at=share) for share in (0.95, 0.98, 0.99)]
    demands += [Demands(unknown_at=share) for share in (0.01, 0.05)]
    for demand in demands:
        scores = []
        for fit, judge in halves:
            fitted = fit_decision(logits[fit], labels[fit], NO_DIGESTS, "half")
            decision, refused = fitted.granted(demand)
            if refused:
                print(refused)
                continue
            answers = answers_of(predictor, decision, logits[judge], labels[judge])
            scores.append(score_decision(answers, decision))
        tell_decision(demand, scores)


def answers_of(predictor, decision, logits, labels) -> Answers:
    nothing = np.zeros(len(labels), np.bool_)
    return Answers(
        "test",
        predictor.class_names,
        [str(number) for number in range(len(labels))],
        np.arange(len(labels), dtype=np.uint64),
        labels,
        nothing,
        decision.probabilities(logits),
        familiarity=familiarity(logits),
    )


def tell_decision(demand, scores) -> None:
    first = scores[0]
    if first.sets:
        worst = [min(c.coverage.value for c in s.sets.classes) for s in scores]
        low, high = first.sets.coverage.low, first.sets.coverage.high
        print(
            f"| {demand.set_rule} | {100 * demand.coverage:g} % | {spread(s.sets.coverage.value for s in scores)} | "
            f"{100 * low:.2f} to {100 * high:.2f} | {spread((s.sets.mean_size for s in scores), 3, 1)} | "
            f"{spread((s.sets.single.value for s in scores), 1)} | {spread(worst, 1)} |"
        )
    if first.sure:
        print(
            f"| sure {100 * demand.precision_at:g} % | {spread(s.sure.precision.value for s in scores)} | "
            f"{spread((s.sure.coverage.value for s in scores), 1)} | aurc {spread((s.aurc for s in scores), 3)} |"
        )
    if first.unknown:
        print(f"| unknown at {100 * demand.unknown_at:g} % | {spread(s.unknown.rejected.value for s in scores)} |")


if __name__ == "__main__":
    main()
