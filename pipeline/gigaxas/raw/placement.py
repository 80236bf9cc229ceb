"""Where every field lies: all pairs at once, by least squares, pairs that contradict the others left out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.raw.registration import Pair
from gigaxas.tiles import Plane

STAGE_WEIGHT = 1e-3
"""Weight of the stage against a measured pair: it holds the whole, and what no pair holds."""
LEAST_RESIDUAL = 1.0
"""Pixels by which a pair may disagree with the others in any case."""
TIMES_TYPICAL = 3.5
"""How many times the median disagreement of all pairs one may disagree by."""
MOST_NAMED = 10
"""Fields that one error names."""


@dataclass(frozen=True)
class Placement:
    """Where the fields of a measurement lie."""

    corners: FloatArray
    """The top left corners (n, 2) of the fields, y and x, in pixels."""
    pairs: tuple[Pair, ...]
    """All pairs of overlapping fields, those that do not count with the reason."""
    warnings: tuple[str, ...]
    """Sentences on fields that were placed by the stage, and on pairs that were left out."""

    @property
    def whole(self) -> tuple[tuple[int, int], ...]:
        """The corners in whole pixels of the mosaic, whose first row and column are 0."""
        cells = np.rint(self.corners - self.corners.min(axis=0)).astype(int)
        return tuple((int(y), int(x)) for y, x in cells)

    def shape(self, plane: Plane) -> Plane:
        """Return rows and columns of the mosaic of fields of this shape."""
        last = np.max(self.whole, axis=0)
        return int(last[0]) + plane[0], int(last[1]) + plane[1]


def place_fields(
    names: Sequence[str], stage: FloatArray, pairs: Sequence[Pair], shift_limit: float
) -> Placement:
    """Location the fields `names` at stage (n, 2) by their pairs (Preibisch et al. 2009).

    The pair that disagrees most is left out, and all are solved again, as long as one disagrees by more than
    a pixel and 3.5 times the typical pair. A field without a pair stays where the stage says, with a warning.
    InputError: fields whose overlaps have texture, and none of which agrees within `shift_limit` pixels.
    """
    pairs = list(pairs)
    corners = _solve(stage, pairs)
    while True:
        residuals = [_residual(corners, pair) if not pair.rejected else 0.0 for pair in pairs]
        used = [value for value, pair in zip(residuals, pairs, strict=True) if not pair.rejected]
        if not used or max(used) <= max(LEAST_RESIDUAL, TIMES_TYPICAL * float(np.median(used))):
            break
        worst = int(np.argmax(residuals))
        pairs[worst] = replace(pairs[worst], rejected="outlier")
        corners = _solve(stage, pairs)
    _refuse_misplaced(names, pairs, shift_limit)
    return Placement(corners, tuple(pairs), tuple(_warnings(names, pairs)))


def _solve(stage: FloatArray, pairs: Sequence[Pair]) -> FloatArray:
    """Return the corners (n, 2) that fit the offsets of the pairs that count best, and a little the stage."""
    used = [pair for pair in pairs if not pair.rejected]
    design = np.zeros((len(used) + len(stage), len(stage)))
    values = np.zeros((len(design), 2))
    for row, pair in enumerate(used):
        design[row, pair.first], design[row, pair.second] = -1.0, 1.0
        values[row] = np.subtract(pair.offset, stage[pair.second] - stage[pair.first])
    design[len(used) :] = STAGE_WEIGHT * np.eye(len(stage))
    return stage + np.linalg.lstsq(design, values, rcond=None)[0]


def _residual(corners: FloatArray, pair: Pair) -> float:
    return float(np.abs(corners[pair.second] - corners[pair.first] - pair.offset).max())


def _refuse_misplaced(names: Sequence[str], pairs: Sequence[Pair], shift_limit: float) -> None:
    """Refuse fields that should look like their neighbours somewhere, and nowhere do."""
    lines = []
    for number, name in enumerate(names):
        mine = [pair for pair in pairs if number in (pair.first, pair.second)]
        wrong = [pair for pair in mine if pair.rejected in ("not alike", "outlier")]
        if wrong and all(pair.rejected for pair in mine):
            others = ", ".join(names[pair.first + pair.second - number] for pair in wrong[:4])
            lines.append(
                f"field {name!r}: its overlaps with {others} disagree: no shift within "
                f"{shift_limit:.3g} pixels makes them alike; expected the same specimen; check its position, "
                "its images, the direction of the stage axes, and fields.stage_error_um"
            )
    if lines:
        unnamed = len(lines) - MOST_NAMED
        more = f"\nand {unnamed} more fields whose overlaps disagree" if unnamed > 0 else ""
        raise InputError("\n".join(lines[:MOST_NAMED]) + more)


def _warnings(names: Sequence[str], pairs: Sequence[Pair]) -> list[str]:
    lines = []
    for number, name in enumerate(names):
        mine = [pair for pair in pairs if number in (pair.first, pair.second)]
        if not mine and len(names) > 1:
            lines.append(f"field {name!r} overlaps no other; it is placed by its stage position")
        elif mine and all(pair.rejected for pair in mine):
            lines.append(f"field {name!r} has no texture in its overlaps; it is placed by its stage position")
    out = sum(pair.rejected in ("outlier", "not alike") for pair in pairs)
    if out:
        lines.append(f"{out} of {len(pairs)} overlaps disagree with the others, left out; see pairs.csv")
    return lines
