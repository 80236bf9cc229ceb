"""What to measure before any beam: exposure, thickness, energies and time, from references and a camera."""

from gigaxas.planning.area import Covered, Scan, cover
from gigaxas.planning.energies import EnergySet
from gigaxas.planning.measurement import Choice, MeasurementPlan, PairPlan, plan
from gigaxas.planning.reached import PairReached, pairs_reached
from gigaxas.planning.thickness import Thickness

__all__ = [
    "Choice",
    "Covered",
    "EnergySet",
    "MeasurementPlan",
    "PairPlan",
    "PairReached",
    "Scan",
    "Thickness",
    "cover",
    "pairs_reached",
    "plan",
]
