"""The order of the stages: check, simulate, sites, classify, phases, report."""

from pipeline.workflow.check import check
from pipeline.workflow.classify import classify, run, simulate, sites
from pipeline.workflow.phases import PhaseSummary, phases
from pipeline.workflow.plan import Plan, make_plan
from pipeline.workflow.report import report

__all__ = [
    "PhaseSummary",
    "Plan",
    "check",
    "classify",
    "make_plan",
    "phases",
    "report",
    "run",
    "simulate",
    "sites",
]
