"""Work functions for tests of the sandbox: what a parser does on its bad days. Loaded by name in the child."""

from __future__ import annotations

import os
import signal
import time
from hashlib import sha256

from pipelines.ingest.document import Paragraph
from pipelines.ingest.limits import Limits, clock_held
from pipelines.ingest.readers.opening import open_document
from schemas.intake import ReadFile


def length(data: bytes, name: str, limits: Limits) -> ReadFile:
    """A work that works: says how long the file is and which process read it."""
    return ReadFile(file=name, sha256=sha256(data).hexdigest(), format=str(len(data)), body_name=str(os.getpid()))


def ordeal(data: bytes, name: str, limits: Limits) -> ReadFile:
    """Does what the file's text asks for."""
    match data.decode("utf-8", "replace"):
        case "spin":
            while True:
                pass
        case "hang":
            time.sleep(600)
        case "convert, then hang":
            with clock_held(5):
                time.sleep(1.5)
            time.sleep(600)
        case "swell":
            hoard = bytearray()
            while True:
                hoard += bytes(16 * 1024 * 1024)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "leave":
            os._exit(3)
        case "raise":
            raise RuntimeError("no message of a library is shown")
        case "print":
            os.write(1, b"noise among the frames")
            print("more noise", flush=True)
        case "endless":
            return ReadFile(file=name, sha256="", format="x" * 40_000_000)
        case "orphan":
            started = os.fork()
            if not started:
                time.sleep(600)
            return ReadFile(file=name, sha256="", format="unknown", body_name=str(started))
    return length(data, name, limits)


def open_only(data: bytes, name: str, limits: Limits) -> ReadFile:
    """Opens the file as a Document; the format says that it went well, text and marks go where a test can see them."""
    document = open_document(data, name, limits)
    return ReadFile(
        file=name,
        sha256=sha256(data).hexdigest(),
        format=document.format,
        body_name="\n".join(
            item.text if isinstance(item, Paragraph) else "|".join(cell.text for cell in item.cells)
            for item in document.items
        ),
    )
