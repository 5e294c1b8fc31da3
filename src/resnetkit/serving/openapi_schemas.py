"""Schemas of what the server is sent and sends, as JSON Schema for its OpenAPI description."""

from __future__ import annotations

from typing import Any, get_args

from resnetkit.serving.inference_tensors import OUTPUTS
from resnetkit.serving.served import State

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
BYTES: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}
BASE64: Schema = {"type": "string", "contentEncoding": "base64"}
# Numbers beyond this range are no JSON for many readers.
POSITIVE: Schema = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}


def ref(name: str) -> Schema:
    """A reference to one of :data:`SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def object_of(properties: dict[str, Schema], *, optional: tuple[str, ...] = (), closed: bool = False) -> Schema:
    """An object; all of its properties are there, but for some.

    Args:
        closed: it has no others.
    """
    required = [name for name in properties if name not in optional]
    told: Schema = {"type": "object", "properties": properties, "required": required}
    return told | ({"additionalProperties": False} if closed else {})


def list_of(items: Schema, **limits: int) -> Schema:
    """A list."""
    return {"type": "array", "items": items, **limits}


def or_null(schema: Schema) -> Schema:
    """That, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


TENSOR = {
    "name": TEXT,
    "datatype": TEXT,
    "shape": list_of({"type": "integer"}),
}
PARAMETERS: Schema = {"type": "object", "description": "Those of extensions; unknown ones are passed over."}

SCHEMAS: dict[str, Schema] = {
    "Error": object_of(
        {"error": object_of({"code": {"type": "integer"}, "kind": TEXT, "what": TEXT, "why": TEXT, "fix": TEXT})}
    ),
    "ProtocolError": object_of({"error": TEXT}, closed=True),
    "Row": object_of(
        {
            "path": {"type": "string", "description": "The file's name, or the image's position."},
            "status": {
                "enum": ["ok", "unsure", "unknown", "error"],
                "description": "Unsure and unknown: below a threshold of the classifier's, so that there is no class.",
            },
            "reason": {"type": "string", "description": "Why an image could not be read; empty where it was."},
            "class": or_null(TEXT),
            "probability": or_null(SHARE),
            "top": list_of(object_of({"class": TEXT, "probability": SHARE}, closed=True)),
            "set": {**list_of(TEXT), "description": "Classes that hold the true one; of classifiers that make sets."},
        },
        optional=("set",),
        closed=True,
    ),
    "Rows": object_of({"model": TEXT, "version": TEXT, "rows": list_of(ref("Row"))}, closed=True),
    "Images": object_of(
        {
            "images": list_of(
                {"anyOf": [BASE64, object_of({"name": TEXT, "data": BASE64}, optional=("name",), closed=True)]},
                minItems=1,
            ),
            "model": or_null(TEXT),
            "top": POSITIVE,
        },
        optional=("model", "top"),
        closed=True,
    ),
    "Form": {
        "type": "object",
        "properties": {"file": list_of(BYTES, minItems=1)},
        "required": ["file"],
        "description": "Any number of files, under whatever names; fields model and top.",
    },
    "Explanation": object_of(
        {
            "class": TEXT,
            "probability": SHARE,
            "method": TEXT,
            "overlay": {**BASE64, "description": "PNG of the map alone, to be laid over the image."},
            "image": {**BASE64, "description": "The upright image, as PNG or JPEG."},
            "words": list_of(TEXT),
        }
    ),
    "Server": object_of({"name": TEXT, "version": TEXT, "extensions": list_of(TEXT), "models": list_of(TEXT)}),
    "Live": object_of({"live": {"type": "boolean"}}),
    "Ready": object_of({"ready": {"type": "boolean"}}),
    "ModelReady": object_of({"name": TEXT, "ready": {"type": "boolean"}}),
    "Metadata": object_of(
        {
            "name": TEXT,
            "versions": list_of(TEXT),
            "platform": TEXT,
            "inputs": list_of(object_of(TENSOR)),
            "outputs": list_of(object_of(TENSOR)),
        }
    ),
    "InferenceRequest": object_of(
        {
            "id": TEXT,
            "parameters": PARAMETERS,
            "inputs": list_of(
                object_of(
                    {
                        "name": {"enum": ["image", "pixels"]},
                        "datatype": {"enum": ["BYTES", "UINT8"]},
                        "shape": list_of(COUNT, minItems=1),
                        "parameters": PARAMETERS,
                        "data": {"type": "array", "description": "Of image: files in base64; of pixels: numbers."},
                    },
                    optional=("parameters", "data"),
                ),
                minItems=1,
                maxItems=1,
            ),
            "outputs": list_of(
                object_of(
                    {"name": {"enum": list(OUTPUTS)}, "parameters": PARAMETERS},
                    optional=("parameters",),
                )
            ),
        },
        optional=("id", "parameters", "outputs"),
    ),
    "InferenceResponse": object_of(
        {
            "model_name": TEXT,
            "model_version": TEXT,
            "id": TEXT,
            "outputs": list_of(
                object_of(
                    {**TENSOR, "parameters": PARAMETERS, "data": {"type": "array"}}, optional=("parameters", "data")
                )
            ),
        },
        optional=("id",),
    ),
    "Model": object_of(
        {
            "name": TEXT,
            "version": or_null(TEXT),
            "state": {"enum": list(get_args(State))},
            "problem": {"type": "string", "description": "Of it, or of a file that was to take its place."},
            "num_classes": or_null(COUNT),
            "network": or_null(TEXT),
        }
    ),
    "Models": object_of({"models": list_of(ref("Model"))}),
    "About": object_of(
        {
            "name": TEXT,
            "version": TEXT,
            "state": TEXT,
            "source": TEXT,
            "description": {"type": "object"},
            "network_svg": or_null(TEXT),
            "num_parameters": or_null(COUNT),
            "multiply_adds": or_null(COUNT),
            "scores": or_null({"type": "object"}),
            "training": or_null({"type": "object"}),
            "methods": list_of(TEXT),
            "limits": {"type": "object"},
            "has_results": {"type": "boolean"},
        }
    ),
    "Results": object_of(
        {
            "split": TEXT,
            "class_names": list_of(TEXT),
            "num_images": COUNT,
            "rows": list_of(
                object_of(
                    {
                        "index": COUNT,
                        "path": TEXT,
                        "true": TEXT,
                        "answer": TEXT,
                        "status": or_null({"enum": ["ok", "unsure", "unknown"]}),
                        "probability": SHARE,
                        "true_probability": SHARE,
                    }
                )
            ),
        }
    ),
    "Health": object_of({"status": {"const": "ok"}}),
}
