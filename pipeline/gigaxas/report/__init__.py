"""Pictures and a page for people: `label.png`, `sites.png`, `proof.png` and `report.html`."""

from gigaxas.report.data import (
    DIFFERS_BELOW,
    STATE_NAMES,
    ClusterRow,
    ComponentRow,
    Finding,
    Moved,
    Picture,
    ReportData,
    Truth,
    TruthRow,
)
from gigaxas.report.figure import write_label_png
from gigaxas.report.measurement import MeasurementPage, render_measurement
from gigaxas.report.page import render_report, write_report
from gigaxas.report.seams import write_seams_png
from gigaxas.report.sites import site_pictures, write_proof_png, write_sites_png
from gigaxas.report.specks import SpeckKind, SpeckReport, SpeckRow
from gigaxas.report.underway import Underway, tell_pages
from gigaxas.report.views import VoidView, void_views

__all__ = [
    "DIFFERS_BELOW",
    "STATE_NAMES",
    "ClusterRow",
    "ComponentRow",
    "Finding",
    "MeasurementPage",
    "Moved",
    "Picture",
    "ReportData",
    "SpeckKind",
    "SpeckReport",
    "SpeckRow",
    "Truth",
    "TruthRow",
    "Underway",
    "VoidView",
    "render_measurement",
    "render_report",
    "site_pictures",
    "tell_pages",
    "void_views",
    "write_label_png",
    "write_proof_png",
    "write_report",
    "write_seams_png",
    "write_sites_png",
]
