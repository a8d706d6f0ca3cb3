"""What tests of the front end need: its packages, a server in a thread, a browser that is watched."""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.publish.serve import make_server

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
NPM = shutil.which("npm") or ""
OFFLINE = ("ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH", "network")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def install_front(folder: Path) -> Path:
    """A copy of ``web/`` with the packages that its lock names. Skips where npm or the registry is out of reach."""
    if not NPM:
        pytest.skip("npm is not installed")
    shutil.copytree(WEB, folder, ignore=shutil.ignore_patterns("node_modules"))
    command = [NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode and any(word in done.stderr for word in OFFLINE):
        pytest.skip("the npm registry is out of reach")
    assert done.returncode == 0, done.stderr
    return folder


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The folder on a free port of this machine, by the project's own server."""
    with make_server(folder) as server:
        yield from _run(server)


@contextmanager
def serving_plainly(folder: Path) -> Iterator[str]:
    """The folder by a server that knows no ranges."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        yield from _run(server)


def _run(server: http.server.ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
