"""Compare measures by which images of no known class can be told from known ones, for trust.md.

    python benchmarks/familiarity.py WEIGHTS.th --cifar10 FOLDER --unknown cifar100=FOLDER --unknown photos=FOLDER

Arguments, images and halves are those of trust.py. The one called energy is what a classifier uses.
"""

import statistics
from collections.abc import Callable

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.neighbors import NearestNeighbors
from trust import halves_of, read_arguments, read_images

from resnetkit import open_classifier
from resnetkit.evaluation.decision_scores import separation
from resnetkit.inference.torch_engines import plain_predictor

NAMES = (
    *("highest probability", "highest logit", "energy", "generalised entropy", "logit neighbours"),
    *("energy and direction", "embedding neighbours"),
)


def main() -> None:
    arguments = read_arguments(__doc__.partition("\n")[0])
    classifier = open_classifier(arguments.weights)
    predictor = plain_predictor(classifier, batch_size=256)
    test, _, images = read_images(arguments, predictor)
    head = [module for module in classifier.network.modules() if isinstance(module, torch.nn.Linear)][-1]
    kept: list[np.ndarray] = []
    head.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0].flatten(1).numpy()))

    def both(pixels) -> tuple[np.ndarray, np.ndarray]:
        kept.clear()
        return predictor.engine.logits(pixels)[:, 0].astype(np.float64), np.concatenate(kept).astype(np.float64)

    known, others = both(test), {name: both(pixels) for name, pixels in images.items()}
    print("| score | " + " | ".join(others) + " |")
    for name in NAMES:
        cells = []
        found = {other: [] for other in others}
        for fit, judge in halves_of(len(test), min(arguments.halves, 5)):
            measure = measure_of(name, known[0][fit], known[1][fit])
            own = measure(known[0][judge], known[1][judge])
            for other, values in others.items():
                found[other].append(separation(own, measure(*values)))
        for one in found.values():
            auroc, fpr95 = (statistics.mean(100 * getattr(half, what) for half in one) for what in ("auroc", "fpr95"))
            cells.append(f"{auroc:.1f} / {fpr95:.1f}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def measure_of(name, known_logits, known_embeddings) -> Callable:
    """A measure (N,) of logits (N, K) and embeddings (N, D), by those of known images where it needs them."""

    def softmax(logits) -> np.ndarray:
        return np.exp(logits - logsumexp(logits, axis=1, keepdims=True))

    def unit(values) -> np.ndarray:
        return values / np.linalg.norm(values, axis=1, keepdims=True)

    def direction(logits) -> np.ndarray:
        return unit(logits - logits.mean(1, keepdims=True))

    def neighbours(known, values, number) -> np.ndarray:
        return -NearestNeighbors(n_neighbors=number, algorithm="brute").fit(known).kneighbors(values)[0][:, -1]

    classes, ways = known_logits.argmax(1), direction(known_logits)
    means = np.stack([ways[classes == k].mean(0) for k in range(ways.shape[1])])
    spread_of = np.cov((ways - means[classes]).T)
    precision = np.linalg.inv(spread_of + 0.01 * np.trace(spread_of) / len(spread_of) * np.eye(len(spread_of)))

    def mahalanobis(logits) -> np.ndarray:
        away = direction(logits)[:, None] - means[None]
        return -np.einsum("nkd,de,nke->nk", away, precision, away).min(1)

    energies, distances = logsumexp(known_logits, axis=1), mahalanobis(known_logits)
    return {
        "highest probability": lambda logits, _: softmax(logits).max(1),
        "highest logit": lambda logits, _: logits.max(1),
        "energy": lambda logits, _: logsumexp(logits, axis=1),
        "generalised entropy": lambda logits, _: -((softmax(logits) * (1 - softmax(logits))) ** 0.1).sum(1),
        "logit neighbours": lambda logits, _: neighbours(unit(known_logits), unit(logits), 50),
        "energy and direction": lambda logits, _: (
            logsumexp(logits, axis=1) / energies.std() + 0.5 * mahalanobis(logits) / distances.std()
        ),
        "embedding neighbours": lambda _, embeddings: neighbours(unit(known_embeddings), unit(embeddings), 10),
    }[name]


if __name__ == "__main__":
    main()
