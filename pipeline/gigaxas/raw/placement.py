"""Where every field lies: all pairs at once, by least squares, pairs that contradict the others left out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.raw.registration import Pair

STAGE_WEIGHT = 1e-3
"""Weight of the stage against a measured pair: it holds the whole, and what no pair holds."""
LEAST_RESIDUAL = 1.0
TIMES_TYPICAL = 3.5


@dataclass(frozen=True)
class Placement:
    """The top left corners (n, 2) of the fields, y and x in pixels, the pairs with their fate, warnings."""

    corners: FloatArray
    pairs: tuple[Pair, ...]
    warnings: tuple[str, ...]

    @property
    def whole(self) -> tuple[tuple[int, int], ...]:
        """The corners in whole pixels of the mosaic, whose first row and column are 0."""
        cells = np.rint(self.corners - self.corners.min(axis=0)).astype(int)
        return tuple((int(y), int(x)) for y, x in cells)

    def shape(self, plane: tuple[int, int]) -> tuple[int, int]:
        """Return rows and columns of the mosaic of fields of this shape."""
        last = np.max(self.whole, axis=0)
        return int(last[0]) + plane[0], int(last[1]) + plane[1]


def place_fields(names: Sequence[str], stage: FloatArray, pairs: Sequence[Pair], reach: float) -> Placement:
    """Place the fields `names` at stage (n, 2) by their pairs (Preibisch et al. 2009).

    The pair that disagrees most is left out, and all are solved again, as long as one disagrees by more than
    a pixel and 3.5 times the typical pair. A field without a pair stays where the stage says, with a warning.
    InputError: fields whose overlaps have texture, and none of which agrees within `reach` pixels.
    """
    pairs = list(pairs)
    corners = _solve(stage, pairs)
    while True:
        rest = [_residual(corners, pair) if not pair.why else 0.0 for pair in pairs]
        used = [value for value, pair in zip(rest, pairs, strict=True) if not pair.why]
        if not used or max(used) <= max(LEAST_RESIDUAL, TIMES_TYPICAL * float(np.median(used))):
            break
        worst = int(np.argmax(rest))
        pairs[worst] = replace(pairs[worst], why="outlier")
        corners = _solve(stage, pairs)
    _refuse_strangers(names, pairs, reach)
    return Placement(corners, tuple(pairs), tuple(_warnings(names, pairs)))


def _solve(stage: FloatArray, pairs: Sequence[Pair]) -> FloatArray:
    used = [pair for pair in pairs if not pair.why]
    design = np.zeros((len(used) + len(stage), len(stage)))
    values = np.zeros((len(design), 2))
    for row, pair in enumerate(used):
        design[row, pair.first], design[row, pair.second] = -1.0, 1.0
        values[row] = np.subtract(pair.offset, stage[pair.second] - stage[pair.first])
    design[len(used) :] = STAGE_WEIGHT * np.eye(len(stage))
    return stage + np.linalg.lstsq(design, values, rcond=None)[0]


def _residual(corners: FloatArray, pair: Pair) -> float:
    return float(np.abs(corners[pair.second] - corners[pair.first] - pair.offset).max())


def _refuse_strangers(names: Sequence[str], pairs: Sequence[Pair], reach: float) -> None:
    """Refuse fields that should look like their neighbours somewhere, and nowhere do."""
    lines = []
    for number, name in enumerate(names):
        mine = [pair for pair in pairs if number in (pair.first, pair.second)]
        wrong = [pair for pair in mine if pair.why in ("not alike", "outlier")]
        if wrong and all(pair.why for pair in mine):
            others = ", ".join(names[pair.first + pair.second - number] for pair in wrong[:4])
            lines.append(
                f"field {name!r}: its overlaps with {others} disagree: no shift within {reach:.3g} pixels "
                "makes them alike; expected the same specimen; check its position, its images, the direction "
                "of the stage axes, and fields.stage_error_um"
            )
    if lines:
        more = f"\nand {len(lines) - 10} more fields whose overlaps disagree" if len(lines) > 10 else ""
        raise InputError("\n".join(lines[:10]) + more)


def _warnings(names: Sequence[str], pairs: Sequence[Pair]) -> list[str]:
    lines = []
    for number, name in enumerate(names):
        mine = [pair for pair in pairs if number in (pair.first, pair.second)]
        if not mine:
            lines.append(f"field {name!r} overlaps no other; it is placed by its stage position")
        elif all(pair.why for pair in mine):
            lines.append(f"field {name!r} has no texture in its overlaps; it is placed by its stage position")
    out = sum(pair.why in ("outlier", "not alike") for pair in pairs)
    if out:
        lines.append(f"{out} of {len(pairs)} overlaps disagree with the others, left out; see pairs.csv")
    return lines
