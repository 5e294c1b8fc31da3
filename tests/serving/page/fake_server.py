"""A server that answers as the page expects, from a script: answers of no network, and failures that are asked for."""

import asyncio
import base64
import io
import json
import math
import socket
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import uvicorn
from PIL import Image, ImageOps
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from tests.html_page import HOSTILE

from resnetkit.serving.app import HEADERS

PAGE = resources.files("resnetkit.serving") / "page"
UNREADABLE = "is not an image of a kind that is read"
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
FLOWERS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
METHODS = ("grad_cam", "layer_cam", "integrated_gradients", "occlusion")
NETWORK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 80" width="300" height="80"><style>rect{fill:#dfeafa}'
    '</style><script>alert("x")</script><rect width="300" height="80"/><text x="12" y="44">stem</text></svg>'
)


@dataclass(frozen=True)
class Failing:
    """An answer that is no answer: a status, what is told of it, and headers."""

    status: int
    what: str = "not answered now"
    why: str = ""
    fix: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None

    def response(self) -> Response:
        if self.body is not None:
            return PlainTextResponse(self.body, self.status, dict(self.headers))
        error = {"code": 2, "kind": "usage", "what": self.what, "why": self.why, "fix": self.fix}
        return JSONResponse({"error": error}, self.status, dict(self.headers))


@dataclass
class FakeModel:
    """A classifier of the fake.

    Attributes:
        known: the class of files, by their checksum; of others chance gives it.
        doubts: statuses other than ok, by the same.
    """

    name: str
    class_names: tuple[str, ...]
    has_results: bool = True
    state: str = "ready"
    is_opened: bool = True
    problem: str = ""
    known: dict[int, int] = field(default_factory=dict)
    doubts: dict[int, str] = field(default_factory=dict)
    makes_sets: bool = False

    @property
    def listed(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": f"{zlib.crc32(self.name.encode()):012x}" if self.is_opened else None,
            "state": self.state,
            "problem": self.problem,
            "num_classes": len(self.class_names),
            "network": "resnet18",
        }

    def probabilities(self, content: bytes) -> list[float]:
        seed = zlib.crc32(content)
        best = self.known.get(seed, seed % len(self.class_names))
        logits = [(seed >> (i % 24)) % 7 / 3 + (4.0 if i == best else 0.0) for i in range(len(self.class_names))]
        total = sum(map(math.exp, logits))
        return [math.exp(logit) / total for logit in logits]

    def row(self, path: str, content: bytes, top: int) -> dict[str, Any]:
        try:
            with Image.open(io.BytesIO(content)) as image:
                image.load()
        except (OSError, SyntaxError):
            return {
                "path": path,
                "status": "error",
                "reason": UNREADABLE,
                "class": None,
                "probability": None,
                "top": [],
            }
        shares = self.probabilities(content)
        best = sorted(range(len(shares)), key=lambda i: -shares[i])[:top]
        named = [{"class": self.class_names[i], "probability": round(shares[i], 6)} for i in best]
        status = self.doubts.get(zlib.crc32(content), "ok")
        answer = named[0] if status == "ok" else dict.fromkeys(named[0])
        row = {"path": path, "status": status, "reason": "", **answer, "top": named}
        return {**row, "set": [one["class"] for one in named[:2]]} if self.makes_sets else row

    def details(self) -> dict[str, Any]:
        def accuracy(value: float, n: int) -> dict[str, Any]:
            half = 1.96 * math.sqrt(value * (1 - value) / n)
            return {
                "value": value,
                "correct": round(value * n),
                "num_images": n,
                "low": value - half,
                "high": min(1.0, value + half),
            }

        classes = [
            {
                "name": name,
                "num_images": 60 + i,
                "precision": 0.9 - 0.01 * i,
                "recall": 0.95 - 0.02 * i,
                "f1": 0.9,
                "recall_low": 0.85 - 0.02 * i,
                "recall_high": 0.98,
            }
            for i, name in enumerate(self.class_names[:20])
        ]
        scores = {
            "top1": accuracy(0.9213, 367),
            "top5": None,
            "log_loss": 0.24,
            "expected_calibration_error": 0.021,
            "macro_f1": 0.919,
            "classes": classes,
            "confusion": [],
        }
        preprocessing = {
            "image_size_px": 224,
            "resize_px": 256,
            "channels": 3,
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "interpolation": "bilinear",
            "channel_order": "rgb",
            "average_mirrored": True,
            "jpeg_scaling": "reduced",
            "fit": "crop",
            "white_16bit": 65535,
            "float_range": [0.0, 1.0],
        }
        return {
            **self.listed,
            "source": f"runs/0001-resnet18-{self.name}",
            "description": {
                "model": {},
                "preprocessing": preprocessing,
                "class_names": list(self.class_names),
                "provenance": {"data": self.name, "epochs": 30},
                "limits": {"max_pixels": 64_000_000, "max_file_bytes": 268_435_456},
                "decision": {
                    "temperature": 1.0,
                    "unknown": {"below": 1.5, "rate": 0.05} if self.doubts else None,
                    "sure": {"least": 0.5, "precision": 0.99} if self.doubts else None,
                    "sets": {"rule": "lac", "most": 0.9, "coverage": 0.95} if self.makes_sets else None,
                },
            },
            "network_svg": NETWORK,
            "num_parameters": 11_179_077,
            "multiply_adds": 1_814_073_344,
            "scores": {"test": scores, "val": {**scores, "top1": accuracy(0.93, 300)}} if self.has_results else None,
            "training": {
                "data": f"photos of {self.name}",
                "num_images": 2936,
                "epochs": 30,
                "warnings": ["2 files were left out"],
                "command": "resnetkit train flowers",
            },
            "methods": list(METHODS),
            "limits": {"max_request_images": 256, "max_request_bytes": 268_435_456, "deadline_seconds": 30.0},
            "has_results": self.has_results,
        }

    def results(self) -> dict[str, Any]:
        names, rows = self.class_names, []
        for index in range(240):
            truth = index % len(names)
            is_wrong = index % 11 == 3
            answer = (truth + 1 + index % 2) % len(names) if is_wrong else truth
            probability = 0.35 + (index * 37 % 60) / 100 if is_wrong else 0.6 + (index * 13 % 40) / 100
            rows.append(
                {
                    "index": index,
                    "path": f"test/{names[truth]}/{index:04}.jpg",
                    "true": names[truth],
                    "answer": names[answer],
                    "status": "unknown" if index % 12 == 5 else "ok",
                    "probability": probability,
                    "true_probability": (1 - probability) / 2 if is_wrong else probability,
                }
            )
        return {"split": "test", "class_names": list(names), "num_images": len(rows), "rows": rows}


@dataclass
class FakeServer:
    """The fake, with what it was asked and what it is to fail at.

    Attributes:
        failures: by path, what the next requests there are answered with, first come first.
        asked: method, path with query, and number of bytes of every request.
        token: which requests must bring, where there is one.
        seconds: that each answer to ``/predict`` takes.
        busy: requests to ``/predict`` that are being answered; ``most_busy``: the most at once.
    """

    models: list[FakeModel]
    failures: dict[str, list[Failing]] = field(default_factory=lambda: defaultdict(list))
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    token: str | None = None
    seconds: float = 0.0
    busy: int = 0
    most_busy: int = 0
    thumbnail: Callable[[int], bytes] | None = None
    origin: str = ""

    def model(self, name: str | None) -> FakeModel:
        return next((model for model in self.models if model.name == name), self.models[0])

    def app(self) -> Starlette:
        def route(path: str, answer: Callable[[Request, bytes], Awaitable[Response]], *methods: str) -> Route:
            async def guarded(request: Request) -> Response:
                body = await request.body()
                query = f"?{request.url.query}" if request.url.query else ""
                self.asked.append((request.method, request.url.path + query, len(body)))
                if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
                    return Failing(401, "no token, or not the right one").response()
                if failures := self.failures.get(request.url.path):
                    return failures.pop(0).response()
                return await answer(request, body)

            return Route(path, guarded, methods=list(methods or ("GET",)))

        return Starlette(
            routes=[
                Route("/", page_file),
                Route("/static/{name}", page_file),
                route("/models", self.list_models),
                route("/models/{model}", self.tell_model),
                route("/models/{model}/results", self.tell_results),
                route("/models/{model}/results/images/{index:int}", self.show_image),
                route("/predict", self.predict, "POST"),
                route("/explain", self.explain, "POST"),
                route("/v2/models/{model}/infer", self.infer, "POST"),
                route("/v2/{rest:path}", self.tell_rest),
                route("/metrics", self.tell_metrics),
                route("/openapi.json", self.tell_rest),
            ]
        )

    async def list_models(self, request: Request, body: bytes) -> Response:
        return JSONResponse({"models": [model.listed for model in self.models]})

    async def tell_model(self, request: Request, body: bytes) -> Response:
        return JSONResponse(self.model(request.path_params["model"]).details())

    async def tell_results(self, request: Request, body: bytes) -> Response:
        return JSONResponse(self.model(request.path_params["model"]).results())

    async def show_image(self, request: Request, body: bytes) -> Response:
        index = request.path_params["index"]
        if index % 50 == 3:
            return Failing(404, "no longer there").response()
        content = self.thumbnail(index) if self.thumbnail else png(index)
        return Response(content, media_type="image/png")

    async def predict(self, request: Request, body: bytes) -> Response:
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            return await self.answer_predict(request, body)
        finally:
            self.busy -= 1

    async def answer_predict(self, request: Request, body: bytes) -> Response:
        if self.seconds:
            await asyncio.sleep(self.seconds)
        model, top = self.model(request.query_params.get("model")), int(request.query_params.get("top", 5))
        kind = request.headers["Content-Type"]
        if kind.startswith("multipart/"):
            form = await request.form(max_files=1000)
            files = [
                (file.filename or "", await file.read()) for _, file in form.multi_items() if not isinstance(file, str)
            ]
            rows = [model.row(name, content, top) for name, content in files]
        elif kind == "application/json":
            tree = json.loads(body)
            rows = [model.row(one["name"], base64.b64decode(one["data"]), tree["top"]) for one in tree["images"]]
        else:
            row = model.row("0", body, top)
            if row["status"] == "error":
                why = "it begins like none of JPEG, PNG, WebP, TIFF, HEIF …"
                return Failing(422, f"the image {row['reason']}", why, "send an image file").response()
            return JSONResponse(row)
        return JSONResponse({"model": model.name, "version": model.listed["version"], "rows": rows})

    async def explain(self, request: Request, body: bytes) -> Response:
        query = request.query_params
        model = self.model(query.get("model"))
        with Image.open(io.BytesIO(body)) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
        width, height = image.size
        side = min(width, height)
        window = {"left": (width - side) / 2, "top": (height - side) / 2, "width": side, "height": side}
        shares = model.probabilities(body)
        name = query.get("class") or model.class_names[max(range(len(shares)), key=shares.__getitem__)]
        return JSONResponse(
            {
                "class": name,
                "probability": shares[model.class_names.index(name)],
                "method": query.get("method", "grad_cam"),
                "layer": "stage4",
                "window": window,
                "image_size": [height, width],
                "overlay": as_base64(heat(width, height, zlib.crc32(name.encode())), "PNG"),
                "image": as_base64(image, "JPEG"),
                "words": [
                    "Most of it lies in the centre, 46 % of it.",
                    "Where the network found features that speak for the class.",
                    "It is as coarse as the layer it reads, so it does not say which detail in a spot mattered.",
                ],
            }
        )

    async def infer(self, request: Request, body: bytes) -> Response:
        return JSONResponse({"model_name": request.path_params["model"], "outputs": [{"name": "class", "data": ["x"]}]})

    async def tell_rest(self, request: Request, body: bytes) -> Response:
        return JSONResponse({"ready": True})

    async def tell_metrics(self, request: Request, body: bytes) -> Response:
        return PlainTextResponse("resnetkit_requests_total 7\n")


async def page_file(request: Request) -> Response:
    name = request.path_params.get("name", "index.html")
    return Response((PAGE / name).read_bytes(), media_type=TYPES[name.rpartition(".")[2]], headers=HEADERS)


def png(seed: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """A small image; another one for each seed."""
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    image.putpixel((seed % size[0], seed // size[0] % size[1]), (255, seed % 256, 0))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def heat(width: int, height: int, seed: int) -> Image.Image:
    """A warm spot on nothing, somewhere in the middle."""
    spot = ImageOps.invert(Image.radial_gradient("L")).point([max(0, 2 * value - 200) for value in range(256)])
    side = round(min(width, height) * 0.9)
    alpha = Image.new("L", (width, height))
    alpha.paste(spot.resize((side, side)), ((width - side) // 2 + seed % 31 - 15, (height - side) // 2))
    overlay = Image.new("RGBA", (width, height), (250, 120, 20, 0))
    overlay.putalpha(alpha)
    return overlay


def as_base64(image: Image.Image, kind: str) -> str:
    file = io.BytesIO()
    image.save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


def usual_models() -> list[FakeModel]:
    """One of flowers with a run, one whose names are attacks, one of many classes without a run."""
    hostile = (HOSTILE, "<b>bold</b>", "javascript:alert(1)", "=1+1", "普通话")
    return [
        FakeModel("flowers", FLOWERS),
        FakeModel(f"hostile {HOSTILE}".replace("/", "∕"), hostile),
        FakeModel("many", tuple(f"class {i}" for i in range(400)), has_results=False),
    ]


@contextmanager
def running(fake: FakeServer) -> Iterator[FakeServer]:
    """The fake on a port of its own, with its address in ``origin``."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        fake.origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(fake.app(), log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield fake
        finally:
            server.should_exit = True
            thread.join()
