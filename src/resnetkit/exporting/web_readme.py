"""The README of a page that is exported, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from resnetkit.exporting.proof import Proof
from resnetkit.exporting.readme import proof_told, thresholds, titled
from resnetkit.exporting.subject import Subject
from resnetkit.exporting.targets import Target


def write_web_readme(subject: Subject, target: Target, proof: Proof) -> str:
    """The text: three commands, what the page does with images, its files, how it was proved."""
    return (
        "\n".join(
            [
                *titled(subject, target),
                *_page(subject),
                *thresholds(subject.classifier.decision, "the page"),
                *proof_told(target, proof),
            ]
        )
        + "\n"
    )


def _page(subject: Subject) -> Iterator[str]:
    yield "The folder is a page that classifies images in the browser. Nothing is uploaded, and the page's content"
    yield "security policy has the browser see to that."
    yield ""
    yield "```"
    yield "python serve.py                # http://localhost:8000"
    yield "python serve.py 9000           # another port"
    yield "python -m http.server          # any other server of files does too, with one thread"
    yield "```"
    yield ""
    yield "To publish it, copy the folder to any server of static files. Browsers give the network more than one thread"
    yield "only where all files come with the two headers that `serve.py` sends:"
    yield ""
    yield "    Cross-Origin-Opener-Policy: same-origin"
    yield "    Cross-Origin-Embedder-Policy: require-corp"
    yield ""
    yield "Cameras are to be had on `https://` addresses and on localhost, by a rule of browsers."
    yield ""
    yield "## Files"
    yield ""
    yield "- `index.html`, `page/`: the page; there is nothing to build"
    yield "- `model.onnx`: from `image`, one decoded image, uint8"
    yield f"  `(H, W, {subject.classifier.preprocessing.channels})` of any size, to `probabilities` and `logits`;"
    yield "  resizing, cutting, normalisation and the temperature are in it"
    yield "- `classifier.json`: the classes' names, limits, and what the model was made from"
    yield "- `runtime/`: ONNX Runtime Web (MIT), as it was published, with its licence"
    yield ""
    yield "Images are read as resnetkit reads them: upright, transparency laid on white, colour profiles ignored, in"
    yield "all formats that the browser knows. In Chromium the pixels are the same; others were not measured."
    if subject.classifier.preprocessing.jpeg_scaling == "reduced":
        yield "The classifier knows JPEGs that are shrunk while they are decoded; browsers decode them whole."
