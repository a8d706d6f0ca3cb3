"""Ways of doing one thing, each group in a process of its own that stays, asked for one round after another.

So that rounds of different interpreters can be interleaved: a process answers each line on its standard input with how
long every one of its ways took for all files of a folder. The standard library alone, as the peers' environment has
nothing of the project.

Belongs here: that conversation, both ends. Does not belong here: the ways.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

Way = Callable[[bytes], object]


def serve(ways: Mapping[str, Way], folder: Path) -> None:
    """Answer every line with ``{way: milliseconds of computing a file}`` as JSON, until there are no more."""
    data = [path.read_bytes() for path in sorted(folder.iterdir())]
    for _ in sys.stdin:
        taken = {}
        for name, way in ways.items():
            begin = time.process_time()
            for one in data:
                way(one)
            taken[name] = 1000 * (time.process_time() - begin) / len(data)
        sys.stdout.write(json.dumps(taken) + "\n")
        sys.stdout.flush()


class Worker:
    """A process that serves; ``round`` asks it once. Raises SystemExit with its last words where it ended."""

    def __init__(self, python: Path, module: str, *arguments: str, folder: Path, root: Path) -> None:
        self.name = f"{module} {' '.join(arguments)}"
        self.process = subprocess.Popen(
            [str(python), "-m", module, *arguments, str(folder)],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def round(self) -> dict[str, float]:
        """Milliseconds of computing a file, of each way."""
        assert self.process.stdin
        assert self.process.stdout
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise SystemExit(f"{self.name} ended with {self.process.wait()}")
        return json.loads(line)
