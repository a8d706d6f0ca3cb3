"""How other libraries take the text out of a return's tables; run by the Python of the peers' environment.

    python -m benchmarks.ingest_peers FORMAT PEER FOLDER

Belongs here: one function for each peer. Does not belong here: anything of the project, nor the rounds (rounds.py).
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from benchmarks.rounds import Way, serve


def python_docx(data: bytes) -> object:
    import docx

    document = docx.Document(io.BytesIO(data))
    return [[cell.text for cell in row.cells] for table in document.tables for row in table.rows]


def text_pdf(data: bytes) -> object:
    import pypdfium2

    file = pypdfium2.PdfDocument(data)
    return [page.get_textpage().get_text_bounded() for page in file]


def read_html(data: bytes) -> object:
    import pandas as pd

    return pd.read_html(io.BytesIO(data))


def read_excel(data: bytes, engine: str) -> object:
    import pandas as pd

    return pd.read_excel(io.BytesIO(data), sheet_name=None, header=None, engine=engine)


# By format, by a short name: what it is called in the report, the distributions it needs, how.
PEERS: dict[str, dict[str, tuple[str, tuple[str, ...], Way]]] = {
    "xlsx": {
        "pandas_calamine": ("pandas.read_excel, calamine", ("pandas", "python-calamine"),
                            lambda data: read_excel(data, "calamine")),
        "pandas_openpyxl": ("pandas.read_excel, openpyxl", ("pandas", "openpyxl"),
                            lambda data: read_excel(data, "openpyxl")),
    },
    "docx": {"python_docx": ("python-docx, tables", ("python-docx",), python_docx)},
    "html": {"pandas": ("pandas.read_html", ("pandas", "lxml"), read_html)},
    "csv": {},
    "pdf": {"pypdfium2": ("pypdfium2, text alone", ("pypdfium2",), text_pdf)},
}  # fmt: skip


if __name__ == "__main__":
    kind, name, folder = sys.argv[1:]
    serve({name: PEERS[kind][name][2]}, Path(folder))
