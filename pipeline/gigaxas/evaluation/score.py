"""A label map against the truth of a scene."""

from dataclasses import dataclass

import numpy as np

from gigaxas.arrays import BoolArray, FloatArray, IntArray, LabelArray
from gigaxas.evaluation.scenes import VerifyScene
from gigaxas.specks import Specks

FOUND = 0.8
"""Share of a needle's pixels that must carry one label of its own for it to be found."""
RING = 2
TRUE_SHARE = 0.75
"""Share of a speck's pixels whose label is that of their phase, below which it shows a phase that the map has
lost."""


@dataclass(frozen=True)
class Score:
    """How a needle scene was labelled."""

    found: BoolArray
    """(n,) whether each needle was found."""
    sizes: IntArray
    """(n,) pixels a side."""
    z: FloatArray
    """(n,) distance from the background."""
    pure: float
    """Share of background pixels with the label that most of their phase have."""
    strayed: float
    """Share that carry a label of a found needle and of no background."""
    false: int
    """Labels that are no phase's."""
    classes: int
    """Labels."""


def score_needles(scene: VerifyScene, label: LabelArray) -> Score:
    """Compare a final map (h, w) with a scene of needles.

    A needle is found when FOUND of its pixels share a label that most of the ring around it do not have.
    """
    counts = np.zeros((int(scene.phase.max()) + 1, int(label.max()) + 1), np.int64)
    np.add.at(counts, (scene.phase.ravel(), label.ravel().astype(np.int64)), 1)
    major = counts.argmax(axis=1)
    background = scene.phase < scene.backgrounds
    right = counts[np.arange(scene.backgrounds), major[: scene.backgrounds]].sum()
    found = np.array([_is_found(scene, label, k) for k in range(len(scene.needles))], np.bool_)
    own = {int(_commonest(label[n.region])[0]) for n, good in zip(scene.needles, found, strict=True) if good}
    large = set(np.flatnonzero(counts[: scene.backgrounds].sum(axis=0) > 0.005 * background.sum()).tolist())
    present = set(np.unique(label).tolist()) - {0}
    return Score(
        found=found,
        sizes=np.array([needle.size for needle in scene.needles], np.int64),
        z=np.array([needle.z for needle in scene.needles]),
        pure=float(right / background.sum()),
        strayed=float(np.isin(label[background], list(own - large)).mean()),
        false=len(present - set(major.tolist())),
        classes=len(present),
    )


@dataclass(frozen=True)
class SpeckScore:
    """Specks against the truth of a scene."""

    found: BoolArray
    """(n,) whether each planted square was found."""
    false: BoolArray
    """(m,) whether each speck is nothing of the scene."""
    lost: BoolArray
    """(m,) whether it is part of a phase that the map has lost there."""


def score_specks(scene: VerifyScene, specks: Specks, label: LabelArray) -> SpeckScore:
    """Compare specks with a scene of planted squares and its final map (h, w).

    A square is found by a speck that shares a pixel with it. A speck that shares none is false, unless too
    few of its pixels (TRUE_SHARE) have the label of their phase: that which most of the label's pixels are.
    """
    counts = np.zeros((int(label.max()) + 1, int(scene.phase.max()) + 1), np.int64)
    np.add.at(counts, (label.ravel().astype(np.int64), scene.phase.ravel()), 1)
    wrong = counts.argmax(axis=1)[label] != scene.phase
    on = needles_on_specks(scene, specks)
    share = np.array([1.0 - wrong[region].mean() for region in regions_of(specks)])
    other, shown = np.asarray(~on.any(axis=0)), share >= TRUE_SHARE
    return SpeckScore(np.asarray(on.any(axis=1)), other & shown, other & ~shown)


def needles_on_specks(scene: VerifyScene, specks: Specks) -> BoolArray:
    """Return whether the planted squares of a scene share a pixel with specks (squares, specks)."""
    places = np.array([(needle.y, needle.x, needle.size) for needle in scene.needles], np.int64).reshape(
        -1, 3
    )
    return on_specks(places[:, :2], places[:, 2], specks)


def regions_of(specks: Specks) -> list[tuple[slice, slice]]:
    """Return the slices (y, x) of each speck."""
    columns = (specks.y, specks.x, specks.height, specks.width)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [(slice(y, y + height), slice(x, x + width)) for y, x, height, width in rows]


def on_specks(first: IntArray, sizes: IntArray, specks: Specks) -> BoolArray:
    """Return which squares, by first pixels (n, 2) and sides (n,), share a pixel with which specks (n, m)."""
    (y, x), size = first.T[:, :, None], sizes[:, None]
    down = (specks.y < y + size) & (y < specks.y + specks.height)
    return np.asarray(down & (specks.x < x + size) & (x < specks.x + specks.width), np.bool_)


def score_inset(scene: VerifyScene, label: LabelArray) -> tuple[int, float]:
    """Return classes and the share of pixels whose label is not the commonest one of their phase.

    Two phases cannot share a label: the rarer one's pixels are all wrong then.
    """
    right, taken = 0, set()
    for number in range(int(scene.phase.max()) + 1):
        values, counts = np.unique(label[scene.phase == number], return_counts=True)
        free = [(int(c), int(v)) for v, c in zip(values, counts, strict=True) if v and int(v) not in taken]
        if free:
            most, value = max(free)
            right += most
            taken.add(value)
    return len(set(np.unique(label).tolist()) - {0}), 1.0 - right / label.size


def _is_found(scene: VerifyScene, label: LabelArray, which: int) -> bool:
    needle = scene.needles[which]
    value, count = _commonest(label[needle.region])
    ys, xs = needle.region
    around = np.s_[max(ys.start - RING, 0) : ys.stop + RING, max(xs.start - RING, 0) : xs.stop + RING]
    ring = label[around][scene.phase[around] != needle.number]
    return bool(value and count >= FOUND * needle.size**2 and (not ring.size or value != _commonest(ring)[0]))


def _commonest(values: LabelArray) -> tuple[int, int]:
    found, counts = np.unique(values, return_counts=True)
    at = int(counts.argmax())
    return int(found[at]), int(counts[at])
