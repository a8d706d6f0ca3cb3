"""How far reading has come, in words: so many of so many, how fast, how long still.

Belongs here: the words and how often they are said. Does not belong here: reading, or where the words are shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable

EVERY = 5.0  # seconds between two lines, at least
SLOW = 10  # files a second below which tenths are told


def _duration(seconds: float) -> tuple[str, str]:
    whole = max(1, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} 小时 {minutes_left} 分", f"{hours} h {minutes_left} min"
    if minutes:
        return f"{minutes} 分 {rest} 秒", f"{minutes} min {rest} s"
    return f"{rest} 秒", f"{rest} s"


def progress_line(done: int, total: int, kept: int, seconds: float) -> str:
    """``done`` of ``total`` files read in so many seconds; ``kept``: further ones that needed no reading."""
    rate = done / seconds if seconds > 0 else 0.0
    speed = f"{rate:.0f}" if rate >= SLOW else f"{rate:.1f}"
    chinese = f"已读 {done:,}/{total:,} 份，{speed} 份/秒"
    english = f"{done:,} of {total:,} files, {speed} a second"
    if rate > 0 and done < total:
        left = _duration((total - done) / rate)
        chinese, english = f"{chinese}，约还需 {left[0]}", f"{english}, about {left[1]} left"
    if kept:
        chinese = f"{chinese}；另有 {kept:,} 份沿用已存的读取结果"
        english = f"{english}; {kept:,} more were read before"
    return f"{chinese} ({english})"


class Progress:
    """Counts files as they are read and says now and then how far it is; quick work passes in silence."""

    def __init__(
        self,
        say: Callable[[str], object],
        total: int,
        kept: int = 0,
        clock: Callable[[], float] = time.monotonic,
        every: float = EVERY,
    ) -> None:
        self._say, self._total, self._kept = say, total, kept
        self._clock, self._every = clock, every
        self._begin = self._said = clock()
        self._done = 0

    def step(self) -> None:
        """One more file has been read."""
        self._done += 1
        now = self._clock()
        over = self._done == self._total and self._said > self._begin  # a report begun is brought to its end
        if over or now - self._said >= self._every:
            self._said = now
            self._say(progress_line(self._done, self._total, self._kept, now - self._begin))
