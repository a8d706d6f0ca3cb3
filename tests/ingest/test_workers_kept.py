"""One parsing process serves many files, however much the asking process has held: ru_maxrss is passed on by Linux."""

from __future__ import annotations

import subprocess
import sys

from pipelines.settings import PROJECT

ASK = """
from pipelines.ingest.sandbox import read_many
held = bytearray(400 * 1024 * 1024)
held[::4096] = b"x" * len(held[::4096])
del held
sources = [(f"{n}.csv", b"cell,value") for n in range(4)]
print(len({read.body_name for read in read_many(sources, "tests.ingest.works:length", workers=1)}))
"""


def test_a_large_asking_process_does_not_cost_a_new_process_a_file():
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "1"
