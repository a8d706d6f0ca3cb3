"""Run by the Python of CKAN's own environment: everything that a new CKAN needs, then the server, in one process.

Usage: bring_up.py CKAN.INI PORT. Each step is a command of CKAN itself; doing them in one process spares loading CKAN
once for each. Writes the administrator's API token to the file ``token`` beside CKAN.INI.
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

from ckan.cli.cli import ckan


def command(*words: str) -> str:
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(said):
        ckan.main(["-c", sys.argv[1], *words], standalone_mode=False)
    said.seek(0)
    return said.read()


command("db", "init")
command("user", "add", "admin", "email=admin@example.org", "password=a-long-password")
command("sysadmin", "add", "admin")
token = command("user", "token", "add", "admin", "tests").split()[-1]
Path(sys.argv[1]).with_name("token").write_text(token, encoding="utf-8")
command("run", "-H", "127.0.0.1", "-p", sys.argv[2], "--disable-reloader", "--disable-debugger", "--threaded")
