"""The order of the stages: check, simulate, sites, classify, report."""

from pipeline.workflow.check import check
from pipeline.workflow.classify import SitesMade, classify, run, simulate, sites
from pipeline.workflow.noise import settle_noise
from pipeline.workflow.plan import Plan, make_plan
from pipeline.workflow.report import report

__all__ = [
    "Plan",
    "SitesMade",
    "check",
    "classify",
    "make_plan",
    "report",
    "run",
    "settle_noise",
    "simulate",
    "sites",
]
