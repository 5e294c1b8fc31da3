"""The packages ``onnxruntime`` and ``openvino``, kept from reporting over the network."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

OPENVINO_TELEMETRY = "openvino_telemetry"


def import_onnxruntime() -> Any:
    """The package ``onnxruntime``, kept from reporting over the network how it is used.

    Its official builds do so unless this variable is set before the import (their ``Privacy.md``; seen in 1.31), and
    keep an identifier of the user in the cache folder. Who sets it otherwise has been asked.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    return importlib.import_module("onnxruntime")


def import_openvino() -> Any:
    """The package ``openvino``, kept from reporting over the network that it was imported.

    Its import sends an event through ``openvino_telemetry`` (seen in 2026.4); without that package it goes on silently.
    """
    before = {name: module for name, module in sys.modules.items() if name == OPENVINO_TELEMETRY}
    sys.modules[OPENVINO_TELEMETRY] = None  # type: ignore[assignment]  # Python's way to say: not to be found
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules[OPENVINO_TELEMETRY]
        sys.modules.update(before)
