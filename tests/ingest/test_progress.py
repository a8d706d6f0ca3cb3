"""How far reading is, in words; the clock is given, nothing waits."""

from __future__ import annotations

from itertools import count

import pytest

from pipelines.ingest.progress import Progress, progress_line


@pytest.mark.parametrize(
    ("given", "chinese", "english"),
    [
        (
            (3200, 20000, 0, 25.4),
            "已读 3,200/20,000 份，126 份/秒，约还需 2 分 13 秒",
            "3,200 of 20,000 files, 126 a second, about 2 min 13 s left",
        ),
        ((5, 10, 0, 10), "已读 5/10 份，0.5 份/秒，约还需 10 秒", "5 of 10 files, 0.5 a second, about 10 s left"),
        (
            (100, 10000, 0, 100),
            "已读 100/10,000 份，1.0 份/秒，约还需 2 小时 45 分",
            "100 of 10,000 files, 1.0 a second, about 2 h 45 min left",
        ),
        ((7, 7, 0, 0.5), "已读 7/7 份，14 份/秒", "7 of 7 files, 14 a second"),
        ((1, 9, 0, 0), "已读 1/9 份，0.0 份/秒", "1 of 9 files, 0.0 a second"),
        ((9, 10, 0, 0.1), "已读 9/10 份，90 份/秒，约还需 1 秒", "9 of 10 files, 90 a second, about 1 s left"),
        (
            (60, 120, 12000, 1),
            "已读 60/120 份，60 份/秒，约还需 1 秒；另有 12,000 份沿用已存的读取结果",
            "60 of 120 files, 60 a second, about 1 s left; 12,000 more were read before",
        ),
    ],
)
def test_the_line(given, chinese, english):
    assert progress_line(*given) == f"{chinese} ({english})"


def said(total: int, seconds_a_file: float, kept: int = 0) -> list[str]:
    ticks = count()
    lines: list[str] = []
    progress = Progress(lines.append, total, kept, clock=lambda: next(ticks) * seconds_a_file, every=5)
    for _ in range(total):
        progress.step()
    return lines


def test_at_most_one_line_every_few_seconds_and_one_at_the_end():
    lines = said(100, 0.3)
    assert [int(line.split("/")[0].removeprefix("已读 ")) for line in lines] == [17, 34, 51, 68, 85, 100]
    assert lines[0].startswith("已读 17/100 份，3.3 份/秒，约还需 25 秒")
    assert lines[-1] == "已读 100/100 份，3.3 份/秒 (100 of 100 files, 3.3 a second)"


def test_quick_work_passes_in_silence():
    assert said(100, 0.04) == []
    assert said(0, 1) == []


def test_what_was_read_before_is_counted_apart():
    assert "另有 500 份" in said(10, 6, kept=500)[0]
    assert "另有" not in said(10, 6)[0]
