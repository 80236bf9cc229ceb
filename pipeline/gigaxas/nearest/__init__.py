"""Nearest site of every pixel: exact engines, the oracle, and an approximate option."""

from gigaxas.nearest.assignment import Assignment, assign, assign_block
from gigaxas.nearest.brute_force import brute
from gigaxas.nearest.prepared import Prepared, prepare

__all__ = ["Assignment", "Prepared", "assign", "assign_block", "brute", "prepare"]
