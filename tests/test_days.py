"""The day in China, on a machine anywhere."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys

from pipelines.days import CHINA, day_in_china

NEW_YEAR = datetime.date(2024, 1, 1)

SCRIPT = """
import datetime, pipelines.days
print(pipelines.days.day_in_china(), pipelines.days.day_in_china(datetime.datetime.now(datetime.UTC)))
"""


def test_a_moment_is_a_day_in_china_whatever_its_zone():
    before = datetime.datetime(2023, 12, 31, 15, 59, 59, tzinfo=datetime.UTC)
    assert day_in_china(before) == NEW_YEAR - datetime.timedelta(days=1)
    assert day_in_china(before + datetime.timedelta(seconds=1)) == NEW_YEAR
    assert day_in_china(datetime.datetime(2024, 1, 1, 0, 0, tzinfo=CHINA)) == NEW_YEAR


def test_now_is_a_day_in_china_wherever_the_machine_stands():
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):  # 25 hours apart: never both on the same day as China
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=os.environ | {"TZ": zone}, capture_output=True, text=True, check=True
        )
        one, other = done.stdout.split()
        assert one == other
