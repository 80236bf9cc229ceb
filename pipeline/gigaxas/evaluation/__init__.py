"""Proof by known truth: scenes with planted needles, other methods beside, needles injected into data."""

from gigaxas.evaluation.injection import (
    INJECT_SIZES,
    INJECT_Z,
    Injected,
    InjectionPlan,
    SiteSource,
    inject,
    plan_injection,
)
from gigaxas.evaluation.methods import Maps, classify_image, cluster_image, library_sites
from gigaxas.evaluation.scenes import Needle, VerifyScene, field_of, inset_grid, needle_scene, uniform_scene
from gigaxas.evaluation.score import Score, score_inset, score_needles

__all__ = [
    "INJECT_SIZES",
    "INJECT_Z",
    "Injected",
    "InjectionPlan",
    "Maps",
    "Needle",
    "Score",
    "SiteSource",
    "VerifyScene",
    "classify_image",
    "cluster_image",
    "field_of",
    "inject",
    "inset_grid",
    "library_sites",
    "needle_scene",
    "plan_injection",
    "score_inset",
    "score_needles",
    "uniform_scene",
]
