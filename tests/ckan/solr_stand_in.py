"""A stand-in for Apache Solr, only as much as CKAN asks for: the schema's version, select and update.

It keeps documents in memory and answers on 127.0.0.1. It is NO search engine: a word matches where it occurs as a
part of a text, and nothing is ranked. So the tests of this folder say nothing about how well CKAN's search finds or
ranks a dataset; they need it because an unmodified CKAN will not start, write or show a dataset without a Solr.
Standard library only: it runs inside the process of the tests.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

Document = dict[str, Any]
Test = Callable[[Document], bool]
_TOKEN = re.compile(
    r"""\s*(?: (?P<open>\() | (?P<close>\)) | (?P<sign>[+!-](?=\S)) | (?P<field>[A-Za-z_*][\w.*-]*):
        | "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<range>[\[{][^\]}]*[\]}]) | (?P<word>(?:[^\s()"\\]|\\.)+) )""",
    re.VERBOSE,
)


def _texts(document: Document, field: str) -> list[str]:
    values = document.get(field)
    if values is None:
        return []
    return [str(value) for value in values] if isinstance(values, list) else [str(values)]


def _matches(field: str, value: str) -> Test:
    """One term. Without a field, or in ``text``, a word may stand anywhere in the document."""
    if value == "*":
        return lambda document: field == "*" or bool(_texts(document, field))
    if field in ("", "text", "title", "notes"):
        return lambda document: any(
            value.lower() in text.lower()
            for name in (document if field in ("", "text") else (field,))
            for text in _texts(document, name)
        )
    return lambda document: value.lower() in (text.lower() for text in _texts(document, field))


def _within(field: str, span: str) -> Test:
    low, _, high = span[1:-1].partition(" TO ")
    return lambda document: any(
        (low.strip() == "*" or low.strip() <= text) and (high.strip() == "*" or text <= high.strip())
        for text in _texts(document, field)
    )


def parse(query: str) -> Test:
    """A query of Solr's classic syntax: terms side by side must all hold, ``OR`` and brackets as usual."""
    tokens = list(_TOKEN.finditer(query))
    position = 0

    def alternatives(field: str) -> Test:
        nonlocal position
        groups: list[list[Test]] = [[]]
        negate = False
        name = field
        while position < len(tokens):
            token = tokens[position]
            position += 1
            kind, text = token.lastgroup, token.group().strip()
            if kind == "close":
                break
            if kind == "sign":
                negate = text != "+"
            elif kind == "field":
                name = token["field"]
            elif kind == "word" and text in ("AND", "&&"):
                continue
            elif kind == "word" and text in ("OR", "||"):
                groups.append([])
            elif kind == "word" and text == "NOT":
                negate = True
            else:
                if kind == "open":
                    found = alternatives(name)
                elif kind == "range":
                    found = _within(name, text)
                else:
                    found = _matches(name, re.sub(r"\\(.)", r"\1", token[kind or "word"]))
                groups[-1].append((lambda test: lambda d: not test(d))(found) if negate else found)
                negate, name = False, field
        kept = [group for group in groups if group]
        return lambda document: not kept or any(all(test(document) for test in group) for group in kept)

    return alternatives("")


class Index:
    """The documents, by their id in the index."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.lock = threading.Lock()

    def select(self, asked: dict[str, list[str]]) -> dict[str, Any]:
        """The answer to a query: documents in the order they came, counts by facet."""
        tests = [parse(text) for text in (*asked.get("q", []), *asked.get("fq", [])) if text.strip() not in ("", "*:*")]
        with self.lock:
            found = [document for document in self.documents.values() if all(test(document) for test in tests)]
        facets = {}
        for field in asked.get("facet.field", []):
            counts = Counter(text for document in found for text in _texts(document, field))
            facets[field] = [part for pair in counts.most_common() for part in pair]
        start, rows = int(asked.get("start", ["0"])[0]), int(asked.get("rows", ["10"])[0])
        wanted = set(re.split(r"[ ,]+", asked.get("fl", ["*"])[0]))
        shown = [
            {name: value for name, value in document.items() if "*" in wanted or name in wanted}
            for document in found[start : start + rows]
        ]
        return {
            "responseHeader": {"status": 0},
            "response": {"numFound": len(found), "start": start, "docs": shown},
            "facet_counts": {"facet_queries": {}, "facet_fields": facets, "facet_ranges": {}, "facet_intervals": {}},
        }

    def update(self, body: bytes, kind: str) -> dict[str, Any]:
        """Documents added (JSON) or deleted by id or query (XML); a commit needs nothing here."""
        with self.lock:
            if "json" in kind:
                for document in json.loads(body or b"[]"):
                    self.documents[document.get("index_id") or document["id"]] = document
            elif body.strip():
                for gone in list(self._deleted(ElementTree.fromstring(body))):
                    self.documents.pop(gone, None)
        return {"responseHeader": {"status": 0}}

    def _deleted(self, root: ElementTree.Element) -> Iterator[str]:
        for delete in root.iter("delete"):
            yield from (element.text or "" for element in delete.iter("id"))
            for element in delete.iter("query"):
                test = parse(element.text or "")
                yield from (name for name, document in self.documents.items() if test(document))


def serve(schema: Path) -> ThreadingHTTPServer:
    """A running stand-in on a free port; ``schema``: the schema file that CKAN brings. Stop it with ``shutdown``."""
    index = Index()

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            address, kind = urlsplit(self.path), self.headers.get("Content-Type", "")
            asked = parse_qs(address.query)
            action = address.path.rstrip("/").rpartition("/")[2]
            if action == "schema":
                self._say(schema.read_bytes(), "application/xml")
            elif action == "update":
                self._say(json.dumps(index.update(body, kind)).encode(), "application/json")
            else:
                if "urlencoded" in kind:
                    asked |= parse_qs(body.decode())
                self._say(json.dumps(index.select(asked)).encode(), "application/json")

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

        def _say(self, data: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
