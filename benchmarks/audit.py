"""Copies that an audit finds among altered photographs, what it takes for copies wrongly, and the time of it.

    python benchmarks/audit.py PHOTOS --cifar cifar-10-batches-bin --weights WEIGHTS --model resnet50_v1
    python benchmarks/audit.py PHOTOS --plant

PHOTOS is an image folder with train/ and val/. Photographs are filled up to 1,000 by images of CIFAR-10's test batch.
With ``--weights``, the altered copies of the first 200 are looked for by features too, which takes an hour of a core.
With ``--plant``, copies are put into a copy of the folder, and the audit of that is compared with what was put in.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from resnetkit.audit.auditing import audit_data
from resnetkit.audit.copies import find_exact_copies
from resnetkit.audit.likeness import find_alike
from resnetkit.audit.subject import Subject, open_subject
from resnetkit.data.spec import DataSpec
from resnetkit.sources.weights import Embedder, open_embedder

NUM_PHOTOS, NUM_BY_FEATURES, NUM_LEAKS, NUM_CONFLICTS = 1000, 200, 12, 8
ORIGINAL = "original"
Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def cropped(share: float) -> Change:
    """Cuts off the same share on all four sides."""
    return lambda image, draw: _crop(image, share, share, share, share)


def cropped_somewhere(share: float) -> Change:
    """Cuts off a share of the width and of the height, divided at random between both sides."""

    def change(image: Image.Image, draw: np.random.Generator) -> Image.Image:
        left, top = draw.uniform(0, share, 2)
        return _crop(image, left, top, share - left, share - top)

    return change


def _crop(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    width, height = image.size
    return image.crop(
        (round(width * left), round(height * top), round(width * (1 - right)), round(height * (1 - bottom)))
    )


def turned(degrees: float) -> Change:
    """Turns an image a little; its corners become black."""
    return lambda image, draw: image.rotate(degrees, Image.Resampling.BICUBIC)


def turned_and_cut(degrees: float) -> Change:
    """Turns an image a little, and cuts off enough for no corner to be empty."""

    def change(image: Image.Image, draw: np.random.Generator) -> Image.Image:
        slope = math.tan(math.radians(degrees))
        across, down = slope / 2 * image.height / image.width, slope / 2 * image.width / image.height
        return _crop(turned(degrees)(image, draw), across, down, across, down)

    return change


def written_on(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    """White words on a dark bar, a sixth of the height, somewhere."""
    image, high = image.copy(), max(6, image.height // 6)
    top = int(draw.integers(0, image.height - high))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, top, image.width, top + high), (20, 20, 20))
    font = ImageFont.load_default(high * 0.7)
    pen.text((image.width // 20, top), "Photographs of flowers", (255, 255, 255), font)
    return image


def watermarked(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Words over the whole width in the middle, which let 60 % through."""
    over = image.copy()
    font = ImageFont.load_default(image.width / 5)
    ImageDraw.Draw(over).text((image.width // 2, image.height // 2), "© nobody", (255, 255, 255), font, anchor="mm")
    return Image.blend(image, over, 0.4)


def stored_anew(image: Image.Image, quality: int) -> Image.Image:
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality)
    return Image.open(content)


ALTERED: dict[str, Change] = {
    "JPEG, quality 60": lambda image, draw: stored_anew(image, 60),
    "resized by 0.7": lambda image, draw: image.resize((round(image.width * 0.7), round(image.height * 0.7))),
    "brightness 1.3": lambda image, draw: ImageEnhance.Brightness(image).enhance(1.3),
    "contrast 0.7": lambda image, draw: ImageEnhance.Contrast(image).enhance(0.7),
    "grey": lambda image, draw: ImageOps.grayscale(image),
    "mirrored": lambda image, draw: ImageOps.mirror(image),
    "quarter turn": lambda image, draw: image.transpose(Image.Transpose.ROTATE_90),
    "3 % cut off all sides": cropped(0.03),
    "5 % cut off all sides": cropped(0.05),
    "10 % cut off all sides": cropped(0.1),
    "5 % cut off somewhere": cropped_somewhere(0.05),
    "10 % cut off somewhere": cropped_somewhere(0.1),
    "15 % cut off somewhere": cropped_somewhere(0.15),
    "20 % cut off somewhere": cropped_somewhere(0.2),
    "10 % cut off, JPEG, quality 60": lambda image, draw: stored_anew(cropped_somewhere(0.1)(image, draw), 60),
    "10 % cut off, mirrored": lambda image, draw: ImageOps.mirror(cropped_somewhere(0.1)(image, draw)),
    "turned by 3°": turned(3),
    "turned by 3°, corners cut off": turned_and_cut(3),
    "words on a bar": written_on,
    "watermark": watermarked,
}


def photos_in(folder: Path, cifar: Path) -> list[Image.Image]:
    """A thousand different photographs."""
    subject = open_subject(DataSpec(str(folder), on_bad_image="skip"))
    again = {copy.second for copy in find_exact_copies(subject.digests)}
    paths = [folder / name for row, name in enumerate(subject.identifiers) if row not in again]
    images = [Image.open(path).convert("RGB") for path in paths[:NUM_PHOTOS]]
    rows = cifar_pixels(cifar / "test_batch.bin")[: NUM_PHOTOS - len(images)]
    print(f"{len(images):,} photographs of {folder.name}, {len(rows):,} of CIFAR-10's test batch")
    return images + [Image.fromarray(row) for row in rows]


def cifar_pixels(file: Path) -> np.ndarray:
    """Images of a batch, uint8 ``(N, 32, 32, 3)``."""
    return np.fromfile(file, np.uint8).reshape(-1, 3073)[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def measure_recall(folder: Path, cifar: Path, embedder: Embedder | None) -> None:
    """For each alteration, the altered pictures that stand in one group with their originals, among all originals."""
    images, draw = photos_in(folder, cifar), np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        for number, image in enumerate(images):
            for name, change in {ORIGINAL: lambda image, draw: image, **ALTERED}.items():
                path = Path(place, name, f"{number}.png")
                path.parent.mkdir(exist_ok=True)
                change(image, draw).save(path, compress_level=1)
        report_recall(Path(place), embedder)


def report_recall(place: Path, embedder: Embedder | None) -> None:
    """Do so with a folder of originals and one for each alteration."""
    spec = DataSpec(str(place), validation_fraction=0.0, test_fraction=0.0)
    subject = open_subject(spec, embedder, progress=True)
    print("by their looks:")
    tell_recall(replace(subject, embedder=None))
    if embedder is not None:
        numbers = numbers_of(subject)
        fewer = part_of(subject, (subject.labels == subject.class_names.index(ORIGINAL)) | (numbers < NUM_BY_FEATURES))
        print(f"by features and pixels too, {fewer.features.shape[1]:,} features of each image:")
        tell_recall(fewer)


def tell_recall(subject: Subject) -> None:
    kinds, numbers = np.array(subject.class_names)[subject.labels], numbers_of(subject)
    wrong, num_pairs = Counter[tuple[int, int]](), 0
    for name in ALTERED:
        rows = np.flatnonzero((kinds == ORIGINAL) | (kinds == name))
        part = part_of(subject, rows)
        groups, own, is_altered = part.copies.groups, numbers[rows], kinds[rows] == name
        group_of = dict(zip(own[~is_altered].tolist(), groups[~is_altered].tolist(), strict=True))
        hits = [group_of[number] == group for number, group in zip(own[is_altered], groups[is_altered], strict=True)]
        print(f"{name:<32} {sum(hits):>5,} of {len(hits):,}  {np.mean(hits):.3f}", flush=True)
        num_pairs += len(rows) * (len(rows) - 1) // 2 - len(hits)
        for pair in part.copies.pairs:
            if own[pair.first] != own[pair.second]:
                wrong[tuple(sorted((int(own[pair.first]), int(own[pair.second]))))] += 1  # type: ignore[index]
    print(f"different pictures taken for copies: {wrong.total():,} of {num_pairs:,} pairs, {len(wrong)} different ones")
    print(sorted(wrong))


def numbers_of(subject: Subject) -> np.ndarray:
    return np.array([int(Path(name).stem) for name in subject.identifiers])


def part_of(subject: Subject, rows: np.ndarray) -> Subject:
    """Some rows of a subject, with their features where these are known."""
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows
    names = ("splits", "positions", "labels", "digests", "aspect_ratios", "thumbnails")
    identifiers = tuple(subject.identifiers[row] for row in rows)
    part = replace(
        subject, identifiers=identifiers, traits=None, **{name: getattr(subject, name)[rows] for name in names}
    )
    if subject.embedder is not None and len(rows) < len(subject) and "features" in vars(subject):
        vars(part)["features"] = subject.features[rows]
    return part


def measure_time(cifar: Path) -> None:
    pixels = np.concatenate([cifar_pixels(file) for file in sorted(cifar.glob("*_batch*.bin"))])
    grey = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in pixels])
    for num_images in (10_000, len(grey)):
        started, cpu = time.perf_counter(), time.process_time()
        found = find_alike(grey[-num_images:], num_workers=os.cpu_count() or 1)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        print(
            f"{num_images:,} images compared in {seconds:.1f} s ({cpu:.1f} s of the processors): {len(found):,} pairs"
        )


def plant(folder: Path) -> None:
    """Put leaks and conflicts into a copy of a folder, and repeat training in its validation split in another."""
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary, "photos")
        shutil.copytree(folder, copy)
        before = audit_data(str(copy)).counts
        train = sorted(copy.glob("train/*/*.jpg"))
        names = sorted(path.name for path in copy.glob("train/*"))
        chosen = [train[row] for row in draw.choice(len(train), NUM_LEAKS + NUM_CONFLICTS, replace=False)]
        planted: dict[str, set[frozenset[str]]] = {"leaks": set(), "conflicts": set()}
        for number, path in enumerate(chosen):
            image, name = Image.open(path).convert("RGB"), path.parent.name
            if number < NUM_LEAKS:
                place, kind = copy / "val" / name / f"planted{number}.jpg", "leaks"
                image = ALTERED["resized by 0.7"](image, draw) if number % 2 else image
            else:
                other = names[(names.index(name) + 1) % len(names)]
                place, kind = copy / "train" / other / f"planted{number}.jpg", "conflicts"
            image.save(place, quality=60)
            planted[kind].add(frozenset((str(path.relative_to(copy)), str(place.relative_to(copy)))))
        audit = audit_data(str(copy))
        print("before:", {name: count for name, count in before.items() if count})
        print("after: ", {name: count for name, count in audit.counts.items() if count})
        for finding in audit.findings:
            if finding.name in planted:
                names_of = audit.subject.identifiers
                found = {frozenset((names_of[mark.row], names_of[mark.other])) for mark in finding.marks}  # type: ignore
                hit = planted[finding.name] & found
                missed, more = planted[finding.name] - found, found - planted[finding.name]
                print(f"{finding.name}: {len(hit)} of those put in, missed {missed}, more {more}")
        repeated = Path(temporary, "repeated")
        shutil.copytree(folder / "train", repeated / "train")
        shutil.copytree(folder / "train", repeated / "val")
        audit = audit_data(str(repeated))
        sizes = audit.as_dict()["num_images"]
        print(f"validation repeats training: {audit.counts['leaks']:,} leaks of {sizes['val']:,} images")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--weights")
    parser.add_argument("--model")
    parser.add_argument("--plant", action="store_true")
    asked = parser.parse_args()
    if asked.plant:
        plant(asked.photos)
    if asked.cifar:
        measure_recall(
            asked.photos,
            asked.cifar,
            None if asked.weights is None else open_embedder(asked.weights, model=asked.model),
        )
        measure_time(asked.cifar)
