"""``resnetkit demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resnetkit.cli.program import program
from resnetkit.terminal import say

NUM_SAMPLES = 5


def demo(
    out: Annotated[str, typer.Option("--out", "-o", help="Folder for run folders.")] = "runs",
) -> None:
    """The main job in under a minute: train on real digit scans, score on held-back ones, classify image files.

    \b
    Example:
      resnetkit demo
    """
    from resnetkit.cli.predict import predict
    from resnetkit.cli.progress import ConsoleListener
    from resnetkit.cli.run_results import print_result
    from resnetkit.training import run

    say("Training on 8×8 scans of handwritten digits that ship inside scikit-learn.", "")
    result = run.train("digits", out=out, listener=ConsoleListener())
    say("")
    print_result(result, as_json=False)
    samples = _write_samples(result.run / "samples")
    say("", f"Five digits of the test split, as files in {samples}; their names say what they are:", "")
    predict(str(result.run), [str(samples)], top=2, format="table", device="auto")
    say(
        "",
        f"Open {result.run / 'report.html'} in a browser, then try:",
        f"  {program()} evaluate {result.run}",
        f"  {program()} train path/to/your/photos      (a folder with one sub-folder of images per class)",
        f"  {program()} describe resnet50",
    )


def _write_samples(folder: Path) -> Path:
    import numpy as np

    from resnetkit.data.loading import open_data
    from resnetkit.data.spec import DataSpec
    from resnetkit.images.preprocessing import array_to_image
    from resnetkit.images.spec import Preprocessing

    preprocessing = Preprocessing(8, 8, channels=1, mean=(0.5,), std=(0.5,))
    split = open_data(DataSpec("digits")).load(["test"], preprocessing).splits["test"]
    folder.mkdir()
    positions = np.linspace(0, len(split) - 1, NUM_SAMPLES).astype(int)
    for position, pixels in zip(positions, split.images.read(positions), strict=True):
        image = array_to_image(pixels)
        image.save(folder / f"{position:04d}_is_a_{split.labels[position]}.png")
    return folder
