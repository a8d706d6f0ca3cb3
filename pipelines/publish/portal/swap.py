"""Putting a built site where the old one stands, so that a reader meets the old one or the new one, never a mixture.

Belongs here: folders changing places, hard links to what did not change, the order of puts on object storage. Does not
belong here: what is in the site (site.py), single files (pipelines/storage.py).
"""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from pipelines.storage import Place, place, sync_folder, write_synced

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def exchange(first: Path, second: Path) -> bool:
    """Let two folders change places in one step; False where the system cannot (then nothing has happened)."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    result = rename(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE)
    return bool(result == 0)


def _take_over(source: Path, target: Path) -> None:
    """The same bytes at ``target``: a hard link where the file system has them, else a copy."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def swap_site(fresh: Mapping[str, bytes], kept: Iterable[str], site: Path, build: Path) -> None:
    """Build the new site in the empty folder ``build``: ``fresh`` files, ``kept`` ones from ``site``; then swap.

    ``build`` must lie on the same file system as ``site``. Where folders cannot change places in one step, the old one
    is moved away just before. Raises OSError; the old site then still stands.
    """
    kept = list(kept)
    folders = {build, *((build / name).parent for name in (*fresh, *kept))}
    for folder in sorted(folders):
        folder.mkdir(parents=True, exist_ok=True)
    for name in kept:
        _take_over(site / name, build / name)
    for name, data in fresh.items():
        write_synced(build / name, data)
    for folder in folders:
        sync_folder(folder)
    if site.is_dir() and not site.is_symlink():
        if not exchange(build, site):
            away = build.with_name(f"{build.name}-old")
            site.rename(away)
            build.rename(site)
            shutil.rmtree(away)
    else:
        site.parent.mkdir(parents=True, exist_ok=True)
        site.unlink(missing_ok=True)
        build.rename(site)
    sync_folder(site.parent)
    shutil.rmtree(build, ignore_errors=True)


def put_site(fresh: Mapping[str, bytes], kept: Iterable[str], portal: Place, last: str) -> None:
    """The same on storage without renames: downloads first, then pages, ``last`` at the very end; then what is gone.

    A page is put only after everything that it links to, and a file goes only after no page links to it any more.
    """
    root = place(portal)
    for name in sorted(fresh, key=lambda name: (name == last, name.endswith(".html"), name.count("/") == 0, name)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(fresh[name])
    wanted = {*fresh, *kept}
    for path in sorted(root.rglob("*"), key=str):
        if not path.is_dir() and path.path.removeprefix(root.path).lstrip("/") not in wanted:
            with suppress(FileNotFoundError):
                path.unlink()
