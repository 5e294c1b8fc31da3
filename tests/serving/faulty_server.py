"""A server that answers with a digest of what it was sent, rightly or with one fault that is named: for the attacks.

python faulty_server.py FAULT MOST      prints its port; MOST requests may wait
"""

import asyncio
import hashlib
import json
import os
import signal
import sys

# Fault: what goes wrong.
FAULTS = {
    "none": "nothing",
    "swap": "every hundredth answer is of the request before",
    "lose": "every hundredth request gets no reply",
    "accept": "what is no image is answered like one",
    "speechless": "errors have no words",
    "late": "a refusal waits as long as an answer",
    "no_retry": "a refusal does not say when to come again",
    "endless": "nothing is ever refused",
    "abandon": "what was accepted is not answered after SIGTERM",
    "code": "the end after SIGTERM looks like a failure",
    "hold": "slow clients are held for ever",
    "stay_dead": "a worker that was killed is not started again",
    "wrong_after_kill": "the reply to a request that a killed worker had is another's",
}
WORDS = json.dumps({"error": {"what": "it cannot be", "why": "", "fix": ""}})


def row_of(body: bytes) -> str:
    """The right answer."""
    return json.dumps({"digest": hashlib.sha256(body).hexdigest()})


class Server:
    def __init__(self, fault: str, most: int) -> None:
        self.fault, self.most, self.number, self.waiting, self.draining = fault, most, 0, 0, False
        self.before = row_of(b"")
        self.worker: asyncio.subprocess.Process | None = None
        self.writers: set[asyncio.StreamWriter] = set()

    async def run(self) -> None:
        await self.start_worker()
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        watch = asyncio.create_task(self.watch())
        print(server.sockets[0].getsockname()[1], flush=True)
        await stopped.wait()
        watch.cancel()
        self.draining = True
        server.close()
        if self.fault != "abandon":
            while self.waiting:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)  # connections that are kept are told of the end
        for writer in self.writers:
            writer.transport.abort()
        if self.worker:
            self.worker.kill()
        os._exit(1 if self.fault == "code" else 0)

    async def start_worker(self) -> None:
        self.worker = await asyncio.create_subprocess_exec("sleep", "1000")

    async def watch(self) -> None:
        while self.worker:
            await self.worker.wait()
            if self.fault == "stay_dead":
                return
            await asyncio.sleep(0.1)
            await self.start_worker()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        try:
            while await self.answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        self.writers.discard(writer)
        writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            async with asyncio.timeout(None if self.fault == "hold" else 1):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = await reader.readexactly(int(headers.get("content-length", "0")))
        except TimeoutError:
            writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return False
        if head.startswith("GET /worker"):
            pid = self.worker.pid if self.worker and self.worker.returncode is None else 0
            return self.say(writer, 200, json.dumps({"pid": pid}))
        self.number += 1
        if self.draining:
            return self.refuse(writer)
        if self.waiting >= self.most and self.fault != "endless":
            if self.fault == "late":
                await asyncio.sleep(0.3)
            return self.refuse(writer)
        self.waiting += 1
        try:
            await asyncio.sleep(0.01)
            return self.reply(writer, headers, body)
        finally:
            self.waiting -= 1

    def reply(self, writer: asyncio.StreamWriter, headers: dict[str, str], body: bytes) -> bool:
        is_nth, kind, status = self.number % 100 == 0, headers.get("content-type", ""), 200
        if self.fault == "lose" and is_nth:
            return False
        if kind == "text/html":
            status = 415
        elif not kind.startswith("image"):
            status = 400
        elif not body.startswith(b"\x89PNG") or body[16:20] == (100_000).to_bytes(4, "big") or body[-8:-4] != b"IEND":
            status = 422
        if status != 200 and self.fault != "accept":
            return self.say(writer, status, '{"error": {}}' if self.fault == "speechless" else WORDS)
        if self.worker and self.worker.returncode is not None and self.fault != "wrong_after_kill":
            return self.say(writer, 500, WORDS)
        row = row_of(body)
        wrong = (self.fault == "swap" and is_nth) or (self.worker and self.worker.returncode is not None)
        self.say(writer, 200, self.before if wrong else row)
        self.before = row
        return not self.draining

    def refuse(self, writer: asyncio.StreamWriter) -> bool:
        extra = "" if self.fault == "no_retry" else "Retry-After: 1\r\n"
        return self.say(writer, 503, WORDS, extra)

    def say(self, writer: asyncio.StreamWriter, status: int, body: str, extra: str = "") -> bool:
        head = f"HTTP/1.1 {status} .\r\n{extra}Content-Length: {len(body)}\r\n"
        head += "Connection: close\r\n" if self.draining else ""
        writer.write(f"{head}\r\n{body}".encode())
        return not self.draining


if __name__ == "__main__":
    asyncio.run(Server(sys.argv[1], int(sys.argv[2])).run())
