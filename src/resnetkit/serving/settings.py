"""Settings of a server, as data."""

from __future__ import annotations

from dataclasses import fields

from resnetkit.config import frozen
from resnetkit.errors import require

PLACES_OF_A_BODY = 3  # as it came; as texts of JSON; as the files that they hold


@frozen
class ServerSettings:
    """Limits of a server, for each classifier that it serves: sizes of batches, what is held at most, waiting times.

    Attributes:
        max_batch_images: images computed together at most.
        max_wait_ms: how long the first image of a batch waits for others.
        max_requests: accepted and not yet answered; further ones are refused at once.
        max_queued_pixels: of images that are accepted and not yet prepared, as their headers say.
        max_queued_bytes: of requests that are accepted and not yet answered. A larger one is taken where none is.
        max_decoding_pixels: of images that are decoded at the same time, which bounds memory: 3 bytes each, and what a
            decoder needs besides. A larger one is decoded alone.
        max_request_bytes: of a request's body.
        max_request_images: in one request.
        max_held_bytes: of the bodies of all requests that are being received or answered, and of what is unpacked from
            them, for the whole server.
        max_connections: open at the same time, for the whole server.
        deadline_seconds: after which a request is answered with an error, unless its client asked for less.
        hang_seconds: for which a worker may be at one image or batch; then it is ended, and another takes its place.
        receive_seconds: for a client to send a request's head, and again for its body; a large body gets a second more
            for each 100,000 bytes that have come. As long a client may take to read an answer.
        keep_alive_seconds: for which a connection stays open without a request.
        drain_seconds: after SIGTERM, for what was accepted.
    """

    max_batch_images: int = 8
    max_wait_ms: float = 2.0
    max_requests: int = 256
    max_queued_pixels: int = 1_000_000_000
    max_queued_bytes: int = 512 * 2**20
    max_decoding_pixels: int = 64_000_000
    max_request_bytes: int = 256 * 2**20
    max_request_images: int = 256
    max_held_bytes: int = 2**30
    max_connections: int = 1024
    deadline_seconds: float = 30.0
    hang_seconds: float = 60.0
    receive_seconds: float = 20.0
    keep_alive_seconds: float = 65.0
    drain_seconds: float = 30.0

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self) if field.name.startswith("max_") and field.type == "int"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1, got {getattr(self, name)}")
        for name in (field.name for field in fields(self) if field.name.endswith("_seconds")):
            require(getattr(self, name) > 0, f"{name} must be above 0, got {getattr(self, name)}")
        require(self.max_wait_ms >= 0, f"max_wait_ms must not be below 0, got {self.max_wait_ms}")
        least = PLACES_OF_A_BODY * self.max_request_bytes
        require(
            self.max_held_bytes >= least,
            f"max_held_bytes must be at least {PLACES_OF_A_BODY} max_request_bytes, {least}, got {self.max_held_bytes}",
        )
