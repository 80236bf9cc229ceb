"""The order of the stages: check, simulate, ingest, sites, classify, phases, report."""

from pipeline.workflow.check import check
from pipeline.workflow.classify import SitesMade, classify, ingest, report_again, run, simulate, sites
from pipeline.workflow.noise import settle_noise
from pipeline.workflow.phases import PhaseSummary, phases
from pipeline.workflow.plan import Plan, make_plan
from pipeline.workflow.report import report

__all__ = [
    "PhaseSummary",
    "Plan",
    "SitesMade",
    "check",
    "classify",
    "ingest",
    "make_plan",
    "phases",
    "report",
    "report_again",
    "run",
    "settle_noise",
    "simulate",
    "sites",
]
