"""The official annual report from accepted data, as page, Word document and PDF."""

from pipelines.publish.report.build import Report, build_report, stated_indicators
from pipelines.publish.report.fill import Note, Stated
from pipelines.publish.report.texts import load_narrative
from pipelines.publish.report.typeset import Fonts, find_fonts

__all__ = [
    "Fonts", "Note", "Report", "Stated", "build_report", "find_fonts", "load_narrative", "stated_indicators",
]  # fmt: skip
