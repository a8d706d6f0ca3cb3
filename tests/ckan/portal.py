"""A real, unmodified CKAN 2.12 with a PostgreSQL cluster of its own, for the tests of this folder.

Belongs here: starting and stopping it, users and organisations. Does not belong here: any test.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ckanapi import RemoteCKAN

from pipelines.settings import PROJECT
from tests.ckan.solr_stand_in import serve

CKAN = PROJECT / ".venv-ckan"
ORGANISATION = "quxian-gov"
LIMIT_MEBIBYTES = 10  # CKAN's own default for one file


class Portal(NamedTuple):
    """``key``: of an editor of the organisation, as a deployment would use; ``stranger``: of one with no rights."""

    url: str
    admin: str
    key: str
    stranger: str
    folder: Path

    def action(self, what: str, /, *, by: str = "", **words: Any) -> Any:
        """Ask CKAN as the administrator, or as who holds the key ``by``."""
        with RemoteCKAN(self.url, apikey=by or self.admin) as portal:
            return portal.call_action(what, words)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def postgres_programs() -> Path | None:
    """The folder of ``initdb`` and ``postgres``, None where PostgreSQL is not installed."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/opt/homebrew/opt").glob("postgresql*/bin")]
    if where := shutil.which("initdb"):
        found.append(Path(where).resolve().parent)
    return next((folder for folder in sorted(found, reverse=True) if (folder / "postgres").exists()), None)


def why_not() -> str:
    """Why no CKAN can be started here, "" if one can."""
    if postgres_programs() is None:
        return "PostgreSQL is not installed (make system)"
    if not (CKAN / "bin" / "ckan").exists():
        return "CKAN is not installed beside the project (make setup-ckan)"
    return ""


@contextmanager
def postgres(folder: Path, programs: Path) -> Iterator[str]:
    """A cluster in ``folder``; its address. PostgreSQL refuses to run as root: there it runs as another user."""
    port = free_port()
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        names = [user.pw_name for user in pwd.getpwall()]
        user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        account = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        shutil.chown(folder, user.pw_uid, user.pw_gid)
    data = folder / "cluster"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    options = ["-A", "trust", "-U", "ckan", "-E", "UTF8", "--locale=C", "--no-sync", "-D", str(data)]
    subprocess.run([programs / "initdb", *options], check=True, **quiet, **account)
    tuned = [f"-c{name}" for name in ("fsync=off", "full_page_writes=off", "listen_addresses=127.0.0.1")]
    start = [programs / "postgres", "-D", data, "-p", str(port), *tuned, f"-cunix_socket_directories={folder}"]
    server = subprocess.Popen(start, **quiet, **account)
    try:
        _until(lambda: (data / "postmaster.pid").exists() and "ready" in (data / "postmaster.pid").read_text(), server)
        yield f"postgresql://ckan@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(2)  # "fast" shutdown: sessions are ended
        server.wait(30)


def _until(done: Any, process: subprocess.Popen[bytes], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} did not start (code {process.returncode})")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/api/3/action/status_show", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def running_portal() -> Iterator[Portal]:
    """Everything from nothing, stopped and removed at the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gongkai-ckan-")))
        folder.chmod(0o711)
        programs = postgres_programs()
        assert programs is not None, why_not()
        (folder / "postgres").mkdir()
        database = stack.enter_context(postgres(folder / "postgres", programs))
        (schema,) = (CKAN / "lib").glob("python*/site-packages/ckan/config/solr/schema.xml")
        solr = serve(schema)
        stack.callback(solr.server_close)
        stack.callback(solr.shutdown)
        port = free_port()
        url, ini = f"http://127.0.0.1:{port}", folder / "ckan.ini"
        settings = {
            "sqlalchemy.url": database,
            "solr_url": f"http://127.0.0.1:{solr.server_port}/solr/ckan",
            "ckan.site_url": url,
            "ckan.storage_path": folder / "storage",
            "ckan.locale_default": "zh_Hans_CN",
            "ckan.max_resource_size": LIMIT_MEBIBYTES,
            "ckan.redis.url": "redis://127.0.0.1:1/0",  # nobody there: CKAN answers its API without Redis
            "ckan.plugins": "",
        }
        _configure(ini, settings)
        log = stack.enter_context((folder / "ckan.log").open("wb"))
        start = [CKAN / "bin" / "python", Path(__file__).with_name("bring_up.py"), ini, str(port)]
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}
        server = subprocess.Popen(start, stdout=log, stderr=log, cwd=folder, env=environment)
        stack.callback(server.wait, 30)
        stack.callback(server.terminate)
        try:
            _until(lambda: _answers(url), server)
        except RuntimeError as error:
            raise RuntimeError((folder / "ckan.log").read_text(encoding="utf-8")[-3000:]) from error
        yield _people(url, (folder / "token").read_text(encoding="utf-8"), folder)


def _configure(ini: Path, settings: dict[str, Any]) -> None:
    """CKAN's own configuration file with these settings in place of its own."""
    subprocess.run([CKAN / "bin" / "ckan", "generate", "config", ini], check=True, capture_output=True)
    lines = [
        line for line in ini.read_text(encoding="utf-8").splitlines() if line.partition("=")[0].strip() not in settings
    ]
    at = lines.index("[app:main]") + 1
    lines[at:at] = [f"{name} = {value}" for name, value in settings.items()]
    ini.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _people(url: str, admin: str, folder: Path) -> Portal:
    portal = Portal(url=url, admin=admin, key="", stranger="", folder=folder)
    keys = {}
    for name in ("editor", "stranger"):
        portal.action("user_create", name=name, email=f"{name}@example.org", password="a-long-password")
        keys[name] = portal.action("api_token_create", user=name, name="tests")["token"]
    members = [{"name": "editor", "capacity": "editor"}]
    portal.action("organization_create", name=ORGANISATION, title="渠县人民政府办公室（示例）", users=members)
    return portal._replace(key=keys["editor"], stranger=keys["stranger"])
