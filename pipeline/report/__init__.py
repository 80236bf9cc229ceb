"""Pictures and a page for people: `label.png` and `report.html`."""

from pipeline.report.data import STATE_NAMES, ClusterRow, ReportData, Truth, TruthRow
from pipeline.report.figure import write_label_png
from pipeline.report.page import render_report, write_report
from pipeline.report.seams import write_seams_png

__all__ = [
    "STATE_NAMES",
    "ClusterRow",
    "ReportData",
    "Truth",
    "TruthRow",
    "render_report",
    "write_label_png",
    "write_report",
    "write_seams_png",
]
