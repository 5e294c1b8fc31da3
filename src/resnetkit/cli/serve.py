"""``resnetkit serve``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from resnetkit.cli.completion import offer_weights
from resnetkit.cli.inputs import Reading
from resnetkit.cli.options import (
    CalibrateOption,
    ClassNamesOption,
    CoverageOption,
    DeviceOption,
    EngineOption,
    EntryOption,
    JsonOption,
    MaxFileBytesOption,
    MaxPixelsOption,
    PrecisionAtOption,
    PreprocessOption,
    SetRuleOption,
    UnknownAtOption,
    UsePrecisionOption,
    WeightsModelOption,
)
from resnetkit.cli.settings import read_demands
from resnetkit.terminal import say, say_json, shown, warn

LIBRARIES = ("starlette", "uvicorn", "httptools", "prometheus_client", "python_multipart")


def serve(
    classifiers: Annotated[
        list[str],
        typer.Argument(
            help="Run folders, classifiers, weight files or hf://OWNER/NAME; NAME=… to name one.",
            autocompletion=offer_weights,
        ),
    ],
    host: Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen on; 0 for any that is free.")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", help="File with a token a line; requests need one of them.", show_default=False),
    ] = None,
    max_batch: Annotated[int, typer.Option("--max-batch", help="Images computed together at most.")] = 8,
    max_wait_ms: Annotated[
        float, typer.Option("--max-wait-ms", help="How long the first image of a batch waits for others.")
    ] = 2.0,
    max_requests: Annotated[
        int, typer.Option("--max-requests", help="Requests that may wait for each classifier; more get a 503.")
    ] = 256,
    deadline: Annotated[float, typer.Option("--deadline", help="Seconds that a request may take at most.")] = 30.0,
    ray: Annotated[
        str | None,
        typer.Option("--ray", help="Answer from a Ray cluster: local, auto or HOST:PORT.", show_default=False),
    ] = None,
    replicas: Annotated[
        int | None,
        typer.Option(
            "--replicas", help="With --ray: how many answer; else one on each free GPU or core.", show_default=False
        ),
    ] = None,
    unknown_at: UnknownAtOption = None,
    coverage: CoverageOption = None,
    set_rule: SetRuleOption = None,
    precision_at: PrecisionAtOption = None,
    model: WeightsModelOption = None,
    entry: EntryOption = None,
    class_names: ClassNamesOption = None,
    preprocess: PreprocessOption = None,
    max_pixels: MaxPixelsOption = None,
    max_file_bytes: MaxFileBytesOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
    precision: UsePrecisionOption = "fp32",
    calibrate: CalibrateOption = None,
    json: JsonOption = False,
) -> None:
    """Answer over HTTP: a page, JSON, and the Open Inference Protocol; until Ctrl-C or SIGTERM.

    Then what was accepted is answered, and nothing more is taken. A file that is replaced is served from then on.

    \b
    Examples:
      resnetkit serve runs/0001-resnet20-digits
      resnetkit serve runs/0001-resnet18-photos --host 0.0.0.0 --token-file tokens.txt
      resnetkit serve old=runs/0001-resnet18-photos new=runs/0002-resnet18-photos --port 9000
      resnetkit serve runs/0001-resnet18-photos --ray auto --host 0.0.0.0
      curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8000/predict
    """
    from resnetkit.errors import require
    from resnetkit.extras import import_extra

    for library in LIBRARIES:
        import_extra(library, extra="serve", what="serve needs the libraries of a web server")
    from resnetkit.serving.authorization import TokenFile
    from resnetkit.serving.opening import ToServe
    from resnetkit.serving.server import bind, is_loopback, run_server, url_of
    from resnetkit.serving.settings import ServerSettings

    require(0 <= port < 1 << 16, f"--port must be from 0 to 65,535, got {port}")
    require(replicas is None or ray is not None, "--replicas are those of a cluster", fix="add --ray")
    require(replicas is None or replicas >= 1, f"--replicas must be at least 1, got {replicas}")
    demands = read_demands(unknown_at, coverage, set_rule, precision_at)
    reading = Reading(model, entry, class_names, tuple(preprocess or ())).arguments()
    require(
        not reading or len(classifiers) == 1,
        "several classifiers cannot be read by the same options",
        fix="convert third-party weights first: resnetkit convert",
    )
    to_serve = [
        ToServe(name, source, reading, engine, precision, device, max_pixels, max_file_bytes, calibrate, demands)
        for name, source in map(named, classifiers)
    ]
    settings = ServerSettings(
        max_batch_images=max_batch, max_wait_ms=max_wait_ms, max_requests=max_requests, deadline_seconds=deadline
    )
    tokens = None if token_file is None else TokenFile(token_file)
    bound = bind(host, port)
    if tokens is None and not is_loopback(bound):
        warn(f"whoever reaches {host} can ask this server and see its results; --token-file lets only some")
    url, port = url_of(bound), bound.getsockname()[1]

    def tell_ready(versions: Mapping[str, str]) -> None:
        if json:
            models = [{"name": name, "version": version} for name, version in versions.items()]
            say_json({"url": url, "port": port, "pid": os.getpid(), "models": models})
        else:
            say(f"serving {', '.join(f'{shown(name)} ({version})' for name, version in versions.items())} on {url}")

    if ray is None:
        code = run_server(to_serve, settings, bound, tokens, lambda front: tell_ready(front.versions))
    else:
        from resnetkit.serving.ray_deployment import Order
        from resnetkit.serving.ray_server import Cluster, run_on_ray  # which loads torch

        tokens_at = None if token_file is None else str(token_file.absolute())
        order = Order(tuple(to_serve), settings, tokens_at, is_local=tokens is None and is_loopback(bound))
        bound.close()  # Ray opens the port itself, on each machine
        code = run_on_ray(Cluster(ray, replicas, host, port), order, tell_ready)
    if code:
        raise typer.Exit(code)


def named(text: str) -> tuple[str, str]:
    """The name and the source of a classifier; without ``NAME=``, it has that of its folder or file.

    >>> named("runs/0001-resnet20-digits/"), named("new=runs/0002"), named("hf://timm/resnet18@v1")
    (('0001-resnet20-digits', 'runs/0001-resnet20-digits/'), ('new', 'runs/0002'), ('resnet18@v1', 'hf://timm/resnet18@v1'))
    """
    name, equals, source = text.partition("=")
    if equals and re.fullmatch(r"[\w.-]+", name) and source and not os.path.exists(text):
        return name, source
    path = Path(text)
    return path.stem if path.is_file() else path.name or path.resolve().name, text
