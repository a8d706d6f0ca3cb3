"""Dagster's own folder and its ``dagster.yaml``, made from the settings.

Belongs here: where Dagster keeps its records and how its instance is set up. Does not belong here: the settings
themselves (pipelines/settings.py), or what runs.

The file carries the hash of what was written into it. As long as that holds, it follows the settings; a file that a
person has changed is theirs and is left alone.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from pipelines.settings import Settings, SettingsError, load_settings
from pipelines.storage import local, place, sha256, write_atomic

MARK = "# gongkai sha256:"
_HEAD = """\
# 本机 Dagster 实例的设置，由 gongkai 按其设置生成。改动过的文件不再自动更新；删除它即重新生成。
# Settings of this Dagster instance, made by gongkai from its own. A changed file is left alone; delete it to have it
# made anew.
"""
_BEFORE = "# 本机实例的设置。 Settings of this local instance.\ntelemetry:\n  enabled: false\n"  # of earlier versions
_POSTGRES = """\
storage:
  postgres:
    postgres_url:
      env: GONGKAI_POSTGRES_URL
"""


def dagster_yaml(settings: Settings) -> str:
    """The text of ``dagster.yaml``: records, how many runs at once, and never two of one partition.

    Of log lines, what is meant for people is kept; a line for each stored table that is read or written is not.
    """
    body = f"""\
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: {settings.concurrent_runs}
    tag_concurrency_limits:
      - key: dagster/partition
        value:
          applyLimitPerUniqueValue: true
        limit: 1
run_monitoring:
  enabled: true
python_logs:
  python_log_level: INFO
{_POSTGRES if settings.dagster_storage == "postgres" else ""}"""
    return f"{_HEAD}{MARK}{sha256(body.encode())}\n{body}"


def is_ours(text: str) -> bool:
    """Whether a ``dagster.yaml`` is as this program wrote it."""
    if text == _BEFORE:
        return True
    _, mark, rest = text.partition(MARK)
    digest, _, body = rest.partition("\n")
    return bool(mark) and digest == sha256(body.encode())


def with_driver(address: str) -> str:
    """The address of the database with the driver that dagster-postgres installs and counts on: SQLAlchemy takes
    another one for a plain ``postgresql://``.
    """
    return re.sub(r"\Apostgres(ql)?://", "postgresql+psycopg2://", address)


def dagster_folder(settings: Settings) -> Path:
    """Dagster's folder: DAGSTER_HOME where it is set, else ``DATA/dagster``. It may not be there yet."""
    home = os.environ.get("DAGSTER_HOME", "")
    return Path(home) if home else (local(place(settings.data)) or Path("data")).resolve() / "dagster"


def dagster_home(settings: Settings) -> tuple[Path, bool]:
    """Dagster's folder, made ready, and whether its file follows the settings. The environment names it from now on,
    and the database with its driver. Raises OSError.
    """
    folder = dagster_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    config, wanted = folder / "dagster.yaml", dagster_yaml(settings)
    standing = config.read_text(encoding="utf-8") if config.exists() else None
    follows = standing is None or is_ours(standing)
    if follows and standing != wanted:
        write_atomic(config, wanted.encode())
    os.environ["DAGSTER_HOME"] = str(folder)
    if settings.dagster_storage == "postgres":
        os.environ["GONGKAI_POSTGRES_URL"] = with_driver(settings.postgres_url)
    return folder, follows


def main(command: list[str]) -> str:
    """Make Dagster's folder ready, then become ``command``: how the containers start Dagster's own programs.

    Returns what is wrong where that cannot be done.
    """
    try:
        dagster_home(load_settings())
        program = shutil.which(command[0]) if command else None
        if program is None:
            return "没有要启动的命令。 There is no command to start: python -m assets.instance COMMAND ..."
        os.execv(program, command)  # noqa: S606 - the container's own command
    except (OSError, SettingsError) as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
