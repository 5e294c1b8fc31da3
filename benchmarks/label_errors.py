"""Claim: an audit finds most of the labels that were made wrong, among the first that it shows, and a planted shortcut.

    .venv/bin/python benchmarks/label_errors.py cifar10 resnet20-12fca82f.th --data-dir FOLDER
    .venv/bin/python benchmarks/label_errors.py FOLDER WEIGHTS --model resnet50_v1 --seeds 20
    .venv/bin/python benchmarks/label_errors.py FOLDER WEIGHTS --model resnet50_v1 --plant OUT
    .venv/bin/python benchmarks/label_errors.py fashion_mnist --images 10000 --seeds 3

A share of the labels of the test split, or of all images of a folder without one, are changed into another class, any
other with the same probability, by several seeds. With --plant, the folder is copied to OUT, ten of its labels are
changed and one class is stored as PNG; then all of the audit is run on it. Without weights, networks are trained for
it, as with --train: on so many training images, which the program is given as pixels with their labels changed.
"""

import argparse
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from resnetkit.audit.auditing import audit_data
from resnetkit.audit.features import compute_features
from resnetkit.audit.label_judgement import Judgement, judge_labels
from resnetkit.audit.subject import open_subject
from resnetkit.audit.trained_judge import judge_by_training
from resnetkit.data.given import NO_TEST, GivenData
from resnetkit.data.loading import open_data
from resnetkit.data.spec import DataSpec
from resnetkit.data.splitting import choose_some
from resnetkit.images.prepared_pixels import prepare_seen
from resnetkit.images.spec import Preprocessing
from resnetkit.sources.weights import Embedder, open_embedder

FIRST_SEED = 20  # smaller ones chose among the ways to judge
RATE, NUM_PLANTED, NUM_NEIGHBOURS = 0.05, 10, 20


def flip(labels: Any, num_classes: int, num_flipped: int, seed: int) -> Any:
    draw = np.random.default_rng(seed)
    rows = draw.choice(len(labels), num_flipped, replace=False)
    flipped = labels.copy()
    flipped[rows] = (labels[rows] + draw.integers(1, num_classes, num_flipped)) % num_classes
    return flipped


def nearest(features: Any, labels: Any) -> Any:
    """The share of an image's neighbours that have its label."""
    scaled = features / np.linalg.norm(features, axis=1, keepdims=True)
    _, found = NearestNeighbors(n_neighbors=NUM_NEIGHBOURS + 1).fit(scaled).kneighbors(scaled)
    return (labels[found[:, 1:]] == labels[:, None]).mean(1)


def rankings(judgement: Judgement, features: Any) -> dict[str, Any]:
    """How sure each label is, in several ways."""
    rows = np.arange(len(judgement.labels))
    others = judgement.probabilities.copy()
    others[rows, judgement.labels] = 0
    highest = np.maximum(others.max(1), 1e-12)
    return {
        "probability of the label (what the audit does)": judgement.given,
        "less that of the next class (normalised margin)": judgement.given - highest,
        "ratio of the two": np.maximum(judgement.given, 1e-300) / highest,
        f"share of the label among {NUM_NEIGHBOURS} neighbours": nearest(features, judgement.labels),
    }


def measure(features: Any, true: Any, digests: Any, num_classes: int, num_seeds: int) -> None:
    num_flipped, found, sums = round(RATE * len(true)), {}, []
    for seed in range(FIRST_SEED, FIRST_SEED + num_seeds):
        labels = flip(true, num_classes, num_flipped, seed)
        judgement = judge_labels(features, labels, digests, num_classes)
        sums.append(score(judgement, true, rankings(judgement, features), found))
    tell(true, num_flipped, num_seeds, found, sums)


def measure_trained(images: Any, true: Any, class_names: tuple[str, ...], num_seeds: int) -> None:
    num_flipped, found, sums, seconds = round(RATE * len(true)), {}, [], []
    spec = replace(NO_TEST, validation_fraction=0.0)
    for seed in range(FIRST_SEED, FIRST_SEED + num_seeds):
        started = time.monotonic()
        labels = flip(true, len(class_names), num_flipped, seed)
        subject = open_subject(spec, find_judge=judge_by_training, given=GivenData(images, labels, class_names, spec))
        judgement = subject.judgement
        seconds.append(time.monotonic() - started)
        sums.append(score(judgement, true, {"probability of the label (what the audit does)": judgement.given}, found))
        (precision, auroc), *_ = (values[-1] for values in found.values())
        print(f"seed {seed}: {precision:.3f}, AUROC {auroc:.4f}, {seconds[-1]:.0f} s", flush=True)  # each takes long
    tell(true, num_flipped, num_seeds, found, sums)
    print(f"seconds: {spread(seconds)}")


def score(judgement: Judgement, true: Any, ranked: dict[str, Any], found: dict[str, list[Any]]) -> tuple[float, ...]:
    is_wrong = judgement.labels != true
    for name, sureness in ranked.items():
        first = np.argsort(sureness, kind="stable")[: is_wrong.sum()]
        found.setdefault(name, []).append((is_wrong[first].mean(), roc_auc_score(is_wrong, -sureness)))
    suspects, counted = judgement.is_suspect, judgement.confident != judgement.labels
    is_right = judgement.suggested[is_wrong] == true[is_wrong]
    of_suspects = (suspects.sum(), is_wrong[suspects].mean(), suspects[is_wrong].mean())
    return (*of_suspects, is_wrong[counted].mean(), counted[is_wrong].mean(), is_right.mean())


def tell(true: Any, num_flipped: int, num_seeds: int, found: dict[str, list[Any]], sums: list[Any]) -> None:
    print(f"{len(true):,} images, {num_flipped} labels changed, {num_seeds} seeds: mean ± standard deviation")
    print("| ranked by | precision at the number changed | AUROC |")
    print("| --- | ---: | ---: |")
    for name, values in found.items():
        print(f"| {name} | {' | '.join(spread(column) for column in zip(*values, strict=True))} |")
    names = (
        *("suspects", "precision of suspects", "recall of suspects"),
        *("precision of those counted", "recall of those counted", "true class suggested"),
    )
    for name, column in zip(names, zip(*sums, strict=True), strict=True):
        print(f"{name}: {spread(column)}")


def spread(values: Any) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def plant(folder: Path, out: Path, embedder: Embedder) -> None:
    """Copy a folder, move ten images into another class, store one class as PNG, and audit it."""
    shutil.copytree(folder, out, copy_function=shutil.copyfile)
    files = sorted(path for path in out.rglob("*") if path.is_file())
    names = sorted({path.parent.name for path in files})
    draw, moved = np.random.default_rng(FIRST_SEED), {}
    for row in draw.choice(len(files), NUM_PLANTED, replace=False).tolist():
        others = [name for name in names if name != files[row].parent.name]
        target = files[row].parent.parent / others[draw.integers(len(others))] / files[row].name
        files[row].rename(target)
        moved[target] = files[row].parent.name
    for path in sorted(out.rglob(f"{names[0]}/*")):
        Image.open(path).save(path.with_suffix(".png"))
        path.unlink()
        moved = {target.with_suffix(".png") if target == path else target: name for target, name in moved.items()}
    audit = audit_data(DataSpec(str(out)), embedder=embedder, progress=True)
    subject = audit.subject
    judgement = subject.judgement
    for finding in audit.findings:
        print(f"{finding.severity}: {finding.sentence}")
    for rank, row in enumerate(judgement.ranked.tolist(), start=1):
        path = out / subject.identifiers[row]
        if path in moved:
            suggested = subject.class_names[judgement.suggested[row]]
            told = f"suspect {judgement.is_suspect[row]}, suggested {suggested}, truly {moved[path]}"
            print(f"rank {rank} of {len(subject):,}: {subject.identifiers[row]}: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("weights", nargs="?")
    parser.add_argument("--images", type=int)
    parser.add_argument("--model")
    parser.add_argument("--data-dir")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--plant", type=Path)
    given = parser.parse_args()
    if given.weights is None:
        source = open_data(DataSpec(given.data, data_dir=given.data_dir, validation_fraction=0.0, test_fraction=0.0))
        train, side = source.listings["train"], source.shapes.shorter_px
        rows = choose_some(train.identifiers, train.labels, seed=0, num_images=given.images or len(train.labels))
        pixels = train.prepared(prepare_seen, Preprocessing(side, side)).read(rows)
        images = pixels[:, 0] if source.channels == 1 else pixels.transpose(0, 2, 3, 1)
        measure_trained(images, train.labels[rows], source.class_names, given.seeds)
        return
    embedder = open_embedder(given.weights, model=given.model)
    if given.plant is not None:
        plant(Path(given.data), given.plant, embedder)
        return
    spec = replace(DataSpec(given.data, data_dir=given.data_dir), validation_fraction=0.0, test_fraction=0.0)
    source = open_data(spec)
    names = ["test"] if "test" in source.listings else list(source.listings)
    loaded = source.load(names, embedder.preprocessing, trained=(), whole=())
    splits = loaded.splits.values()
    features = compute_features(embedder, [split.images for split in splits], progress=True)
    true, digests = (np.concatenate([getattr(split, name) for split in splits]) for name in ("labels", "digests"))
    measure(features, true, digests, len(source.class_names), given.seeds)


if __name__ == "__main__":
    main()
