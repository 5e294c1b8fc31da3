"""Claim: a folder of JPEGs is classified faster than by a torch + Pillow script, and one image almost at once.

    .venv/bin/python benchmarks/predict_folder.py --write benchmarks/inference.md
    IMAGES=photos .venv/bin/python benchmarks/predict_folder.py folder

Without ``IMAGES``, a folder to read, JPEGs are made up: smooth shapes with some noise, 240 to 500 pixels wide. Every
round of ``folder`` reads, decodes, resizes, normalises and classifies all of them. A round of ``cold`` starts a
process, so it holds the imports and the opening of the classifier.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from interleaved import Comparison, Contestant, Round, main
from PIL import Image

NUM_IMAGES = 96


@cache
def folder() -> Path:
    """A folder for this process' files, which goes with it."""
    holder = tempfile.TemporaryDirectory()
    _kept.append(holder)
    return Path(holder.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


def images() -> list[str]:
    stated = os.environ.get("IMAGES")
    if stated:
        return sorted(str(path) for path in Path(stated).rglob("*.jpg"))[:NUM_IMAGES]
    draw = np.random.default_rng(0)
    paths = [folder() / f"{number:04}.jpg" for number in range(NUM_IMAGES)]
    for path in paths:
        width, height = (int(side) for side in draw.integers(240, 501, 2))
        coarse = draw.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), np.int16)
        noisy = smooth + draw.integers(-12, 13, smooth.shape)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=88)
    return [str(path) for path in paths]


def classifier_file(model: str) -> Path:
    import torch

    from resnetkit.classifier.classifier import Classifier
    from resnetkit.images.spec import Preprocessing
    from resnetkit.models.resnet import create_model

    torch.manual_seed(0)
    file = folder() / "classifier.safetensors"
    Classifier(create_model(model), Preprocessing(224, 256), tuple(map(str, range(1000)))).save(file)
    return file


def ours(model: str, engine: str) -> Round:
    from resnetkit.inference.predictors import open_predictor

    paths = images()
    predictor = open_predictor(classifier_file(model), engine=engine)

    def do_round() -> float:
        assert all(row.status == "ok" for row in predictor.predict(paths))
        return len(paths)

    return do_round


def script(model: str, batch_size: int) -> Round:
    """What one writes with torch and Pillow."""
    import torch

    from resnetkit.models.resnet import create_model

    paths, network = images(), create_model(model).eval()
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))

    def load(path: str) -> torch.Tensor:
        image = Image.open(path).convert("RGB")
        scale = 256 / min(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
        left, top = (image.width - 224) // 2, (image.height - 224) // 2
        pixels = np.array(image.crop((left, top, left + 224, top + 224)))
        return (torch.from_numpy(pixels).permute(2, 0, 1).float() / 255 - mean) / std

    def do_round() -> float:
        with torch.no_grad():
            for start in range(0, len(paths), batch_size):
                batch = torch.stack([load(path) for path in paths[start : start + batch_size]])
                network(batch).softmax(1).topk(5)
        return len(paths)

    return do_round


def process(command: Sequence[str]) -> Round:
    def do_round() -> float:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return 60.0  # a process a second is 60 a minute

    do_round()
    return do_round


def cold(model: str, engine: str) -> Round:
    """``resnetkit predict`` of one image, when the engine has been chosen before."""
    program = str(Path(sys.executable).with_name("resnetkit"))
    return process([program, "predict", str(classifier_file(model)), images()[0], "--engine", engine])


def cold_script(model: str) -> Round:
    code = (
        "import sys, torch, numpy, PIL.Image\n"
        "from resnetkit.models.resnet import create_model\n"
        f"network = create_model({model!r}).eval()\n"
        "network.load_state_dict(torch.load(sys.argv[1], weights_only=True))\n"
        "image = PIL.Image.open(sys.argv[2]).convert('RGB').resize((224, 224))\n"
        "pixels = torch.from_numpy(numpy.array(image)).permute(2, 0, 1)[None].float() / 255\n"
        "with torch.no_grad(): print(network(pixels).softmax(1).topk(5))\n"
    )
    import torch

    from resnetkit.models.resnet import create_model

    weights = folder() / "weights.pt"
    torch.save(create_model(model).state_dict(), weights)
    return process([sys.executable, "-c", code, str(weights), images()[0]])


OURS: tuple[Any, ...] = ("torch", "onnxruntime", "openvino", "pillow")
COMPARISONS = (
    Comparison(
        "folder",
        "A folder of JPEGs",
        f"`resnet18` on {NUM_IMAGES} JPEGs of 240 to 500 px, from file to the best five classes. Ours decodes in "
        "threads while the engine computes. The script reads, computes, reads, computes, one or 32 images at a time.",
        (
            Contestant("resnetkit, auto", partial(ours, "resnet18", "auto"), OURS),
            Contestant("resnetkit, torch", partial(ours, "resnet18", "torch")),
            Contestant("torch + Pillow, one by one", partial(script, "resnet18", 1)),
            Contestant("torch + Pillow, batches of 32", partial(script, "resnet18", 32)),
        ),
    ),
    Comparison(
        "cold",
        "One image, from a cold start",
        "A process that starts, opens a `resnet18` classifier, answers for one JPEG and ends. The engine was chosen in "
        "an earlier process. `import torch` alone is the yardstick. Memory is that of "
        "who starts them, and says nothing.",
        (
            Contestant("resnetkit, auto", partial(cold, "resnet18", "auto"), OURS),
            Contestant("resnetkit, torch", partial(cold, "resnet18", "torch")),
            Contestant("import torch", partial(process, [sys.executable, "-c", "import torch"])),
            Contestant("torch + Pillow script", partial(cold_script, "resnet18")),
        ),
        unit="processes/minute",
    ),
)

if __name__ == "__main__":
    main(__file__, COMPARISONS)
