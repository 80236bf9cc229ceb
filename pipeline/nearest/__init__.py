"""Nearest site of every pixel: exact engines, the oracle, and an approximate option."""

from pipeline.nearest.assign import Assignment, assign, assign_block
from pipeline.nearest.brute import brute
from pipeline.nearest.prepare import Prepared, prepare

__all__ = ["Assignment", "Prepared", "assign", "assign_block", "brute", "prepare"]
