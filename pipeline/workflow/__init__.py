"""The order of the stages: check, simulate, ingest, sites, classify, report."""

from pipeline.workflow.check import check
from pipeline.workflow.classify import classify, ingest, run, simulate, sites
from pipeline.workflow.plan import Plan, make_plan
from pipeline.workflow.report import report

__all__ = ["Plan", "check", "classify", "ingest", "make_plan", "report", "run", "simulate", "sites"]
