"""The order of the stages: check, simulate, sites, classify, report."""

from pipeline.workflow.check import check
from pipeline.workflow.classify import classify, report_again, run, simulate, sites
from pipeline.workflow.plan import Plan, make_plan
from pipeline.workflow.report import report

__all__ = ["Plan", "check", "classify", "make_plan", "report", "report_again", "run", "simulate", "sites"]
