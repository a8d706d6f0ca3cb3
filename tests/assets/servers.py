"""A web server and a mail server on the loopback address that take notices, or refuse them as they are told."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web:
    """What was posted; ``answers``: statuses to give, the last one again and again; "slow": no answer in time."""

    def __init__(self, answers: list[int | str]) -> None:
        self.answers, self.posted, self.seen, self.address = answers, [], 0, ""
        self.stopping = threading.Event()


@contextmanager
def web_server(*answers: int | str) -> Iterator[Web]:
    web = Web(list(answers) or [200])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = web.answers[min(web.seen, len(web.answers) - 1)]
            web.seen += 1
            if answer == "slow":
                self.wfile.write(b"HTTP/1.1 ")
                self.wfile.flush()
                web.stopping.wait(20)
                return
            web.posted.append((self.headers["Content-Type"], json.loads(body)))
            self.send_response(int(answer))
            self.send_header("Location", web.address + "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        web.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield web
        finally:
            web.stopping.set()
            server.shutdown()
            thread.join()


class Mail:
    """What was handed in; ``refuse``: the command that is answered with ``code``."""

    def __init__(self, refuse: str, code: int) -> None:
        self.refuse, self.code, self.port = refuse, code, 0
        self.messages: list[EmailMessage] = []
        self.receivers: list[list[str]] = []
        self.commands: list[str] = []


@contextmanager
def mail_server(refuse: str = "", code: int = 550) -> Iterator[Mail]:
    mail = Mail(refuse, code)

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            receivers: list[str] = []
            self.say("220 test")
            while line := self.rfile.readline():
                command = line.decode().strip()
                word = command.split(" ")[0].split(":")[0].upper()
                mail.commands.append(word)
                if word == mail.refuse:
                    self.say(f"{mail.code} no")
                elif word == "EHLO":
                    self.say("250-test")
                    self.say("250 AUTH PLAIN LOGIN")
                elif word == "DATA":
                    self.say("354 go on")
                    self.take(receivers)
                    self.say("250 taken")
                elif word == "AUTH":
                    self.say("235 in")
                elif word == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    if word == "RCPT":
                        receivers.append(command.partition("<")[2].partition(">")[0])
                    self.say("250 well")

        def take(self, receivers: list[str]) -> None:
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line[1:] if line.startswith(b"..") else line)
            mail.messages.append(message_from_bytes(b"".join(lines), policy=policy.default))
            mail.receivers.append(receivers)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        mail.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield mail
        finally:
            server.shutdown()
            thread.join()


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
