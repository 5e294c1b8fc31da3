"""How large the report of 10,000 images is, and how long it keeps people waiting, in Chromium.

Images are real, their answers made up (about 93 % right). Of data with fewer images, these come again and again:
``python benchmarks/report.py cifar10 path/to/photos``. It takes playwright, and writes no more than it prints.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from resnetkit.data.loading import open_data
from resnetkit.data.spec import DataSpec
from resnetkit.data.types import SomeImages, Split
from resnetkit.evaluation.answers import Answers, score_answers
from resnetkit.evaluation.mistakes import worst_mistakes
from resnetkit.images.spec import Preprocessing
from resnetkit.runs.report import Report, render_report
from resnetkit.runs.report_images import ScoredImages, draw_pictures, root_of
from resnetkit.runs.report_thresholds import Thresholds

NUM_IMAGES = 10_000
NUM_LOADS, NUM_TIMES = 5, 15

# What is done, and then waited for until the next frame is drawn; i counts from 0.
WORK = {
    "search a name": "const f = document.getElementById('find'); f.value = String(i); "
    "f.dispatchEvent(new Event('input'))",
    "filter by class": "const f = document.getElementById('true-class'); f.selectedIndex = 1 + i % 5; "
    "f.dispatchEvent(new Event('input'))",
    "sort by name": "document.querySelectorAll('#image-table thead button')[0].click()",
    "sort by margin": "document.querySelectorAll('#image-table thead button')[5].click()",
    "turn the page": "document.getElementById('page-after').click()",
    "open a cell": "[...document.querySelectorAll('.matrix button')][i].click()",
}
TIMED = """async () => {
  const times = [];
  for (let i = 0; i < NUM; i++) {
    const start = performance.now();
    WORK;
    await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn, 0)));
    times.push(performance.now() - start);
  }
  return times;
}"""


def split_of(source: str) -> tuple[Split, tuple[str, ...], int]:
    """Test or val images of some data as a split of :data:`NUM_IMAGES`, its classes, and how many there really are."""
    opened = open_data(DataSpec(source))
    side = 32 if opened.shapes.shorter_px <= 64 else 224
    preprocessing = Preprocessing(
        channels=opened.channels,
        image_size_px=side,
        resize_px=side,
        mean=(0.5,) * opened.channels,
        std=(0.5,) * opened.channels,
    )
    name = "test" if "test" in opened.split_sizes else "val"
    split = opened.load([name], preprocessing, trained=(), whole=()).splits[name]
    rows = np.arange(NUM_IMAGES) % len(split)
    names = [split.identifiers[row] for row in rows]
    whole = Split(
        *(name, SomeImages(split.images, rows), split.labels[rows], names),
        *(split.aspect_ratios[rows], np.arange(1, NUM_IMAGES + 1, dtype=np.uint64)),
    )
    return whole, opened.class_names, len(split)


def answers_for(split: Split, class_names: tuple[str, ...]) -> Answers:
    """Made-up answers."""
    rng, size = np.random.default_rng(0), len(class_names)
    logits = 1.6 * rng.normal(size=(len(split), size)) + 5.2 * np.eye(size)[split.labels]
    probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    trained_on = np.zeros(len(split), np.bool_)
    return Answers(split.name, class_names, split.identifiers, split.digests, split.labels, trained_on, probabilities)


def write_page(source: str, path: Path) -> list[str]:
    """Write the page, and say what it holds and took."""
    split, class_names, num_real = split_of(source)
    answers = answers_for(split, class_names)
    started = time.process_time()
    pictures = draw_pictures(answers, split, np.arange(len(split)))
    seconds = time.process_time() - started
    scores = score_answers(answers)
    assert scores is not None
    report = Report(
        title=source,
        command="",
        scores={split.name: scores},
        judged=split.name,
        mistakes=worst_mistakes(answers, split),
        images=ScoredImages.of(answers, pictures, root_of(source)),
        thresholds=Thresholds.of(answers.confidences, answers.is_right),
    )
    path.write_text(render_report(report))
    size = path.stat().st_size / 1e6
    return [
        f"{source}: {len(split):,} images ({num_real:,} different), {len(class_names)} classes, {scores.top1}",
        f"{size:.1f} MB, {len(pictures):,} pictures, drawn in {seconds:.1f} s of processor time",
    ]


def measure(browser: Any, path: Path) -> list[str]:
    """Say how long it takes to load the page, and then to do each of :data:`WORK`."""
    loads = []
    for _ in range(NUM_LOADS):
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        started = time.monotonic()
        page.goto(path.as_uri())
        page.wait_for_selector("#image-table tbody img")
        loads.append(time.monotonic() - started)
    told = [f"load: {median(loads):.2f} s ({min(loads):.2f} to {max(loads):.2f}), {NUM_LOADS} times"]
    for name, work in WORK.items():
        page.evaluate("() => document.getElementById('no-filter').click()")
        times = page.evaluate(TIMED.replace("WORK", work).replace("NUM", str(NUM_TIMES)))
        told.append(f"{name}: {median(times):.0f} ms ({min(times):.0f} to {max(times):.0f}), {NUM_TIMES} times")
    return told


if __name__ == "__main__":
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        print(f"Chromium {chromium.version}")
        for number, source in enumerate(sys.argv[1:]):
            page_file = Path(folder) / f"{number}.html"
            print("\n".join([*write_page(source, page_file), *measure(chromium, page_file)]), flush=True)
