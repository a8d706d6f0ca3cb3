"""The day in China: deadlines are days there, wherever the machine stands.

Belongs here: which day a moment is. Does not belong here: which days are deadlines (regions/), or what is due on them.
"""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

CHINA = ZoneInfo("Asia/Shanghai")


def day_in_china(moment: datetime.datetime | None = None) -> datetime.date:
    """The day in China of a moment that knows its time zone; without one, of now."""
    if moment is None:
        return datetime.datetime.now(tz=CHINA).date()
    return moment.astimezone(CHINA).date()
