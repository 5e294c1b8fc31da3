"""Answers of an exported page, given in a browser: what a proof compares with those of the classifier itself."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np

from resnetkit.classifier.decision import Logits, Probabilities
from resnetkit.errors import Code, ResnetkitError
from resnetkit.exporting.browser import page_open
from resnetkit.exporting.page_server import FolderHandler
from resnetkit.terminal import progress_bar

PAGE = Path(__file__).with_name("proof_page")
REFUSALS: Mapping[str, str] = {
    "empty": "is empty",
    "unreadable": "is no image to the browser",
    "largeFile": "has more bytes than the limit",
    "manyPixels": "has more pixels than the limit",
    "deepGrey": "has grey values of 16 bits, which a browser does not read as this classifier does",
    "darkDeepColour": "has colours of 16 bits that would be read as black",
    "failed": "makes the network fail",
}
"""Codes of the page's reasons, in words that complete the sentence "this file …"."""
PATIENCE_SECONDS = 300.0  # without a word of the page
MOST_TOLD_BYTES = 2**26


@dataclass(frozen=True)
class InBrowser:
    """A browser and the runtime in it that give answers.

    Attributes:
        browser: as it calls itself.
        runtime: the version of ONNX Runtime Web.
        threads: that the network had.
    """

    browser: str
    runtime: str
    threads: int


@dataclass(frozen=True)
class PageAnswer:
    """A page's answer to one file.

    Attributes:
        probabilities: ``(K,)``.
        logits: ``(V, K)`` of V views.
        status: what the page decided.
        in_set: positions of the classes in the set; None where the page makes none.
        refused: the reason why there is no answer, and both are empty; else nothing.
    """

    probabilities: Probabilities
    logits: Logits
    status: str = "ok"
    in_set: tuple[int, ...] | None = None
    milliseconds: float = 0.0
    refused: str = ""


def answer_in_browser(
    folder: Path, images: Sequence[Path], browser: str, *, patience_seconds: float = PATIENCE_SECONDS
) -> tuple[InBrowser, list[PageAnswer]]:
    """Open an exported page's network in a browser, and give it image files; the answers are in their order.

    Args:
        folder: that :func:`resnetkit.exporting.web_page.write_page` has written.
        browser: as :func:`resnetkit.exporting.browser.find_browser` finds it.
        patience_seconds: after which a page that says nothing is given up.

    Raises:
        ResnetkitError: where the page's network cannot be opened there, or the browser ends or hangs.
    """
    where, answers = None, list[PageAnswer]()
    with (
        _served(folder, images) as (address, told),
        page_open(browser, address) as process,
        progress_bar("asking the page", len(images)) as advance,
    ):
        while True:
            try:
                message = told.get(timeout=patience_seconds)
            except queue.Empty:
                state = "is still running" if process.poll() is None else f"ended with {process.returncode}"
                raise _failed(f"no word from it for {patience_seconds:.0f} seconds; the browser {state}") from None
            match message["kind"]:
                case "ready":
                    where = InBrowser(message["browser"], message["runtime"], message["threads"])
                case "answer" | "refused":
                    answers.append(_answer(message))
                    advance(1)
                case "failed":
                    raise _failed(message["reason"])
                case _:
                    assert where is not None
                    return where, answers


def _answer(message: Mapping[str, Any]) -> PageAnswer:
    probabilities = np.array(message.get("probabilities", ()), np.float32)
    logits = np.array(message.get("logits", ()), np.float32).reshape(-1, max(1, len(probabilities)))
    refused = " ".join([REFUSALS[message["code"]], message["reason"]]).strip() if "code" in message else ""
    in_set = message.get("inSet")
    return PageAnswer(
        probabilities,
        logits,
        message.get("status", "ok"),
        None if in_set is None else tuple(in_set),
        message.get("milliseconds", 0.0),
        refused,
    )


def _failed(why: str) -> ResnetkitError:
    return ResnetkitError(Code.CHECK_FAILED, "the page gives no answers in the browser of this machine", why=why)


@contextmanager
def _served(folder: Path, images: Sequence[Path]) -> Iterator[tuple[str, queue.Queue[dict[str, Any]]]]:
    """The address of the proof's page beside the exported one, and what it tells."""
    told: queue.Queue[dict[str, Any]] = queue.Queue()
    root = f"/{token_hex(16)}/"  # other users of this machine can ask the server too, but know no path
    handler = partial(_Handler, folder=folder, root=root, images=images, told=told)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{root}proof/index.html?images={len(images)}", told
        finally:
            server.shutdown()
            thread.join()


class _Handler(FolderHandler):
    """The exported folder below ``root``, and there in ``proof/`` the proof's page, the images and an ear."""

    def __init__(
        self,
        *of_base: Any,
        folder: Path,
        root: str,
        images: Sequence[Path],
        told: queue.Queue[dict[str, Any]],
    ) -> None:
        self.root, self.images, self.told = root, images, told
        super().__init__(*of_base, directory=str(folder))

    def translate_path(self, path: str) -> str:
        path = path.partition("?")[0]
        if not path.startswith(self.root):
            return str(Path(self.directory) / "there is no such file")
        kind, _, rest = path.removeprefix(self.root).partition("/")
        if kind != "proof":
            return super().translate_path("/" + path.removeprefix(self.root))
        if rest.startswith("images/"):
            return str(self.images[int(rest.removeprefix("images/"))])
        return str(PAGE / Path(rest).name)

    def do_POST(self) -> None:  # noqa: N802 - the base calls it so
        """Hear what the page tells."""
        length = int(self.headers["Content-Length"])
        if self.path != f"{self.root}proof/told" or length > MOST_TOLD_BYTES:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.told.put(json.loads(self.rfile.read(length)))
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: requests are no news here."""
