"""A line to the portal that can be cut or spoilt: a small TCP proxy in the process of the tests.

Belongs here: passing requests on, noting them, and the faults of a network. Does not belong here: what a push should
make of it (the tests).
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

READS = ("organization_show", "organization_list_for_user", "license_list", "package_show")


class Line:
    """One line. ``asked``: action or path of each request, in order; each runs over a connection of its own.

    ``cut_request``: of which request (counted from 1) only the first half gets through, ``cut_answer``: of which one
    the answer is lost; ``dead``: nothing gets through; ``swap``: bytes replaced on the way to the portal, as many by as
    many, in every request or only in those of the action ``swap_in``; ``answer``: what every request is answered
    instead; ``before``: what happens once, before an action of that name gets through.
    """

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.asked: list[str] = []
        self.cut_request = self.cut_answer = 0
        self.dead = False
        self.swap: tuple[bytes, bytes] = (b"", b"")
        self.swap_in = ""
        self.answer = b""
        self.before: dict[str, Callable[[], object]] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def writes(self) -> list[str]:
        """The actions among ``asked`` that can change something."""
        return [name for name in self.asked if "/" not in name and name not in READS]

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = self._read(connection)
            if request is None:
                return
            path = request.split(b" ", 2)[1].decode()
            self.asked.append(path.removeprefix("/api/action/"))
            number = len(self.asked)
            self.before.pop(self.asked[-1], lambda: None)()
            if self.dead:
                return
            if self.answer:
                connection.sendall(self.answer)
                return
            with socket.create_connection((self.target.hostname or "", self.target.port or 80)) as portal:
                if number == self.cut_request:
                    portal.sendall(request[: len(request) // 2])
                    return
                portal.sendall(request)
                while piece := portal.recv(1 << 16):
                    if number != self.cut_answer:
                        connection.sendall(piece)

    def _read(self, connection: socket.socket) -> bytes | None:
        """A whole request, told to end its connection; None if the other side sent none."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(1 << 16)
            if not piece:
                return None
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        while len(body) < (int(length[1]) if length else 0):
            piece = connection.recv(1 << 16)
            if not piece:
                return None
            body += piece
        head = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head) + b"\r\nConnection: close"
        old, new = self.swap if self.swap_in.encode() in head.split(b"\r\n", 1)[0] else (b"", b"")
        return head + b"\r\n\r\n" + (body.replace(old, new) if old else body)


@contextmanager
def line_to(target: str) -> Iterator[Line]:
    line = Line(target)
    try:
        yield line
    finally:
        line.close()
