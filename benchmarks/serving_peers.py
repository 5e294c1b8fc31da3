"""Servers that `benchmarks/serving.py` compares with, each as its own first page teaches it.

GRAPH=graph.onnx python serving_peers.py fastapi|litserve|litserve8 PORT
"""

import io
import os
import sys
from functools import cache
from typing import Any

import litserve
import numpy as np
import uvicorn
from fastapi import FastAPI, File, UploadFile
from PIL import Image

from resnetkit.inference.graph_engines import import_onnxruntime


def prepare(photo: bytes) -> np.ndarray:
    """Decode, resize the shorter side to 256 and cut out the centre: uint8 ``(3, 224, 224)``."""
    image = Image.open(io.BytesIO(photo)).convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    return np.asarray(image.crop((left, top, left + 224, top + 224))).transpose(2, 0, 1)


def best_of(logits: np.ndarray) -> list[dict[str, Any]]:
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    return [{"class": str(i), "probability": float(shares[i])} for i in np.argsort(-shares)[:5]]


@cache
def session() -> Any:
    return import_onnxruntime().InferenceSession(os.environ["GRAPH"])


app = FastAPI()


@app.post("/predict")
def predict(request: bytes = File()) -> list[dict[str, Any]]:
    (logits,) = session().run(None, {"pixels": prepare(request)[None]})
    return best_of(logits[0, 0])


class OneByOne(litserve.LitAPI):
    def setup(self, device: str) -> None:
        session()

    def decode_request(self, request: UploadFile) -> np.ndarray:
        return prepare(request.file.read())

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        (logits,) = session().run(None, {"pixels": pixels[None]})
        return logits[0, 0]

    def encode_response(self, logits: np.ndarray) -> list[dict[str, Any]]:
        return best_of(logits)


class InBatches(OneByOne):
    def predict(self, pixels: np.ndarray) -> np.ndarray:
        (logits,) = session().run(None, {"pixels": pixels})
        return logits[:, 0]


def main() -> None:
    peer, port = sys.argv[1], int(sys.argv[2])
    if peer == "fastapi":
        session()
        uvicorn.run(app, port=port, log_level="warning")
        return
    api = OneByOne() if peer == "litserve" else InBatches(max_batch_size=8, batch_timeout=0.005)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(port=port, log_level="warning", generate_client_file=False)


if __name__ == "__main__":
    main()
