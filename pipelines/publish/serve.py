"""A small web server for the built site, for ``gongkai portal``: ranges, a strict policy, nothing outside the folder.

Belongs here: serving files of one folder over http on this machine. Does not belong here: building the site
(portal/). Any web server that answers range requests can serve the same folder to the public.
"""

from __future__ import annotations

import email.utils
import http.server
import re
import shutil
import sys
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".jsonld": "application/ld+json; charset=utf-8",
    ".ttl": "text/turtle; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".zip": "application/zip",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
# Pages carry their own policy; the server says the same, and that no other site may frame them. Files of a release are
# documents of their own (an official report with inline styles): they may not run anything.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FILE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox"
)
FILE_FOLDERS = frozenset({"releases", "files", "report", "catalogue"})
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte that a ``Range`` header asks for; None: the whole file (none, several or malformed ranges).

    Raises ValueError for a range that the file does not have.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        if not int(last) or not size:
            raise ValueError("no such range")
        return max(0, size - int(last)), size - 1
    if int(first) >= size:
        raise ValueError("no such range")
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last), size - 1) if last else size - 1


def file_of(folder: Path, address: str) -> Path | None:
    """The file below ``folder`` that an address means; None where there is none or it would lead out of the folder."""
    try:
        parts = [part for part in unquote(urlsplit(address).path, errors="strict").split("/") if part]
        if any(part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            return None
        path = folder.joinpath(*parts)
        if path.is_dir():
            path = path / "index.html"
        inside = path.resolve().is_relative_to(folder.resolve())
        return path if inside and path.is_file() else None
    except (ValueError, OSError):
        return None


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET and HEAD with files of ``folder``."""

    folder: Path
    quiet = True
    protocol_version = "HTTP/1.1"
    server_version = "gongkai"
    sys_version = ""

    def do_GET(self) -> None:
        """Send a file or a part of it."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Send the head alone."""
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        path = file_of(self.folder, self.path)
        if path is not None and path.name == "index.html" and not self._plain_path().endswith(("/", ".html")):
            self._head(HTTPStatus.MOVED_PERMANENTLY, 0, {"Location": f"{self._plain_path()}/"})
            return
        status = HTTPStatus.OK if path else HTTPStatus.NOT_FOUND
        path = path or self.folder / "404.html"
        try:
            file = path.open("rb")
        except OSError:
            self._head(HTTPStatus.NOT_FOUND, 0, {})
            return
        with file:
            self._send(file, path, status, body)

    def _plain_path(self) -> str:
        return "/" + urlsplit(self.path).path.lstrip("/")  # never //host, which would lead to another site

    def _send(self, file: BinaryIO, path: Path, status: HTTPStatus, body: bool) -> None:
        size = file.seek(0, 2)
        first, last = 0, size - 1
        headers = {
            "Content-Type": TYPES.get(path.suffix, "text/plain; charset=utf-8"),
            "Accept-Ranges": "bytes",
            "Last-Modified": email.utils.formatdate(path.stat().st_mtime, usegmt=True),
            "Content-Security-Policy": self._policy(path),
        }
        if status == HTTPStatus.OK and "If-Range" not in self.headers:
            try:
                wanted = wanted_range(self.headers.get("Range"), size)
            except ValueError:
                self._head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, {"Content-Range": f"bytes */{size}"})
                return
            if wanted is not None:
                first, last = wanted
                status = HTTPStatus.PARTIAL_CONTENT
                headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        length = last - first + 1
        self._head(status, length, headers)
        if body and length:
            file.seek(first)
            if length == size:
                shutil.copyfileobj(file, self.wfile)
            else:
                self._copy(file, length)

    def _copy(self, file: BinaryIO, length: int) -> None:
        while length > 0 and (piece := file.read(min(length, 1 << 16))):
            self.wfile.write(piece)
            length -= len(piece)

    def _policy(self, path: Path) -> str:
        inside = path.relative_to(self.folder).parts
        return FILE_POLICY if not FILE_FOLDERS.isdisjoint(inside[:-1]) else PAGE_POLICY

    def _head(self, status: HTTPStatus, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say what was asked for, unless quiet."""
        if not self.quiet:
            super().log_message(format, *args)


class Server(http.server.ThreadingHTTPServer):
    """One thread a request; a reader who goes away in the middle is no event."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Report what is not a closed connection."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def make_server(folder: Path, host: str = "127.0.0.1", port: int = 0, *, quiet: bool = True) -> Server:
    """A server of ``folder``, listening but not yet serving; port 0 takes a free one (``server.server_address``).

    Call ``serve_forever()``. Raises OSError where the port is taken.
    """
    handler = type("SiteHandler", (Handler,), {"folder": folder.absolute(), "quiet": quiet})
    return Server((host, port), handler)
