"""Pictures and a page for people: `label.png`, `sites.png`, `proof.png` and `report.html`."""

from pipeline.report.data import (
    DIFFERS_BELOW,
    STATE_NAMES,
    ClusterRow,
    ComponentRow,
    Finding,
    Picture,
    ReportData,
    Truth,
    TruthRow,
)
from pipeline.report.figure import write_label_png
from pipeline.report.page import render_report, write_report
from pipeline.report.seams import write_seams_png
from pipeline.report.sites import site_pictures, write_proof_png, write_sites_png
from pipeline.report.study_page import StudyResult, study_page

__all__ = [
    "DIFFERS_BELOW",
    "STATE_NAMES",
    "ClusterRow",
    "ComponentRow",
    "Finding",
    "Picture",
    "ReportData",
    "StudyResult",
    "Truth",
    "TruthRow",
    "render_report",
    "site_pictures",
    "study_page",
    "write_label_png",
    "write_proof_png",
    "write_report",
    "write_seams_png",
    "write_sites_png",
]
