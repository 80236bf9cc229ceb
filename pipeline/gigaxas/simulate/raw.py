"""Raw fields of view of a scene, as the instrument records them: counts with and without the specimen.

The detector has a dark pattern, dead and hot pixels; the beam is vignetted and drifts during the scan; the
energy varies over the field; the stage is off, and the specimen may creep while the energies are taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.interpolate import CubicSpline

from gigaxas.arrays import BoolArray, CountArray, Float32Array, FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.simulate.counts import RESIN
from gigaxas.simulate.scene import Scene
from gigaxas.spectra.noise import NoiseModel, count_variance
from gigaxas.tiles import Plane

DARK_COUNTS, DARK_PATTERN, DARK_NOISE = 100.0, 5.0, 3.0
"""Mean counts without light, their standard deviation over the detector, and that of one image."""
DARK_IMAGES = 4
"""Dark images of every field."""
DEAD, HOT = 3e-4, 1e-4
"""Shares of pixels that always tell zero, and that are always saturated."""
SATURATED = 65535
"""The largest count."""
VIGNETTE = 0.6
"""How much darker the corners are than the middle, as a share of twice the middle."""
BEAM_LOSS, BEAM_WAVE = 0.08, 0.02
"""Share of the beam that is lost during the scan, and the height of its waves."""
RESIN_MATRIX = 0.8
"""Absorbance before the edge of a pixel without iron, relative to mu_low."""
MATRIX_POWER = -3.0
"""Power of the energy with which absorbance before the edge falls."""
SHIFT_STEP = 0.02
"""eV to which the shift of energy of a pixel is rounded."""


@dataclass(frozen=True, eq=False)
class SimulatedField:
    """One field of view of a scene."""

    name: str
    """What its file is called."""
    corner: tuple[int, int]
    """Where its top left corner lies in the scene, y and x, in pixels."""
    stage: tuple[int, int]
    """Where the stage says that it lies, y and x, in pixels."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One scan of one field."""

    field: SimulatedField
    """The field."""
    number: int
    """Of the field, from 0."""
    scan: int
    """Of its scans, from 0."""
    file: str
    """What its file is called."""


@dataclass(frozen=True, eq=False)
class Detector:
    """What belongs to the detector, each (h, w)."""

    pattern: Float32Array
    """Counts without light."""
    beam: Float32Array
    """Profile of the beam, of mean 1."""
    shift_ev: Float32Array
    """What the energy that a pixel sees is off by, in eV."""
    dead: BoolArray
    """Pixels that always tell zero."""
    hot: BoolArray
    """Pixels that are always saturated."""


@dataclass(frozen=True, eq=False)
class Scan:
    """How a field is measured."""

    energy: FloatArray
    """Energies (E,) in eV."""
    spectra: FloatArray
    """Normalised absorbance (n, E) of the phases, in the order of their numbers in the scene."""
    detector: Detector
    """What the images are taken with."""
    noise: NoiseModel
    """Noise and working point of the counts."""
    drift_px: float
    """How far the specimen creeps during the scan, in pixels."""


def lay_out_fields(
    scene: Plane, fields: tuple[int, int], overlap: int, stage_error: int, seed: int
) -> tuple[Plane, list[SimulatedField]]:
    """Cover a scene (pixels) with rows x columns of equal fields; return their shape and the fields.

    The stage says a regular grid; the fields lie up to `stage_error` pixels off it. Raises InputError where
    the overlap or the stage error is larger than a field allows.
    """
    shape = tuple(
        -(-(size + (count - 1) * overlap) // count) for size, count in zip(scene, fields, strict=True)
    )
    height, width = shape
    if min(shape) <= overlap + 2 * stage_error or (max(fields) > 1 and overlap <= 2 * stage_error):
        raise InputError(
            f"simulate.raw: fields of {height} x {width} pixels that overlap by {overlap} with a stage error "
            f"of {stage_error}; expected an overlap above twice the error and below the field; change one"
        )
    rng = np.random.default_rng([seed, 1])
    found = []
    for row in range(fields[0]):
        for column in range(fields[1]):
            last = scene[0] - height, scene[1] - width
            nominal = [
                round(i * (end / max(count - 1, 1)))
                for i, end, count in zip((row, column), last, fields, strict=True)
            ]
            moved = np.clip(rng.integers(-stage_error, stage_error + 1, 2) + nominal, 0, last)
            corner = int(moved[0]), int(moved[1])
            found.append(SimulatedField(f"f{row + 1}-{column + 1}", corner, (nominal[0], nominal[1])))
    return (height, width), found


def take_shots(fields: list[SimulatedField], scans: int) -> list[Shot]:
    """Return all scans in the order they are taken: all fields once, then all of them again."""
    return [
        Shot(field, number, scan, f"{field.name}.h5" if scans == 1 else f"{field.name}_{scan + 1}.h5")
        for scan in range(scans)
        for number, field in enumerate(fields)
    ]


def make_detector(shape: Plane, shift_ev: float, seed: int) -> Detector:
    """Make a detector of shape (h, w) whose energy is off by up to about shift_ev in its corners."""
    rng = np.random.default_rng([seed, 2])
    v, u = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    beam = 1 - VIGNETTE * (v**2 + u**2) / 4
    wrong = rng.random(shape)
    return Detector(
        pattern=(DARK_COUNTS + DARK_PATTERN * rng.standard_normal(shape)).astype(np.float32),
        beam=(beam / beam.mean()).astype(np.float32),
        shift_ev=(shift_ev * (0.6 * v + 0.1 * u + 0.2 * v**2 + 0.1 * u**2)).astype(np.float32),
        dead=wrong < DEAD,
        hot=(wrong >= DEAD) & (wrong < DEAD + HOT),
    )


def dark_images(detector: Detector, rng: np.random.Generator) -> CountArray:
    """Return dark images (n, h, w)."""
    shape = (DARK_IMAGES, *detector.pattern.shape)
    return _recorded(detector.pattern + DARK_NOISE * rng.standard_normal(shape, dtype=np.float32), detector)


def record_field(
    scene: Scene, corner: tuple[int, int], scan: Scan, rng: np.random.Generator
) -> Iterator[tuple[CountArray, CountArray]]:
    """Yield the images (h, w) with and without the specimen at every energy, of the field at a `corner`.

    Absorbance before the edge is mu_low times the thickness and falls with the third power of the energy, as
    that of all elements does.
    """
    energy, detector, noise = scan.energy, scan.detector, scan.noise
    height, width = detector.beam.shape
    halo = int(np.ceil(scan.drift_px)) + 1
    window = tuple(
        np.clip(np.arange(start - halo, start + size + halo), 0, whole - 1)
        for start, size, whole in zip(corner, (height, width), scene.phase.shape, strict=True)
    )
    phase, thickness = scene.phase[np.ix_(*window)], scene.thickness[np.ix_(*window)]
    levels, table = _shifted(scan.spectra, energy, detector.shift_ev)
    kind = np.where(phase == RESIN, len(scan.spectra), phase)
    rows = np.pad(levels, halo, mode="edge") * (len(scan.spectra) + 1) + kind
    matrix = np.where(phase == RESIN, np.float32(RESIN_MATRIX), thickness) * np.float32(noise.mu_low)
    moves = drift(len(energy), scan.drift_px)
    for i, at in enumerate(energy):
        mu = table[i][rows] * (thickness * np.float32(noise.edge_step))
        mu += matrix * np.float32((at / energy[0]) ** MATRIX_POWER)
        if scan.drift_px:
            mu = ndimage.shift(mu, moves[i], order=1, mode="nearest")
        beam = detector.beam * np.float32(noise.c_ref * _beam(i / max(len(energy) - 1, 1)))
        seen = beam * np.exp(-mu[halo : halo + height, halo : halo + width])
        yield _exposed(seen, detector, noise, rng), _exposed(beam, detector, noise, rng)


def drift(energies: int, drift_px: float) -> FloatArray:
    """Return how far the specimen has crept (E, 2) at every energy: drift_px in y, half that back in x."""
    along = np.linspace(0, 1, energies)
    return np.stack([drift_px * along, -0.5 * drift_px * along**2], axis=1)


def _shifted(
    spectra: FloatArray, energy: FloatArray, shift_ev: Float32Array
) -> tuple[IntArray, Float32Array]:
    """Return the number (h, w) of every pixel's shift and the spectra at all shifts (E, shifts * (n + 1))."""
    least = float(shift_ev.min())
    levels = np.rint((shift_ev - least) / SHIFT_STEP).astype(np.int64)
    shifts = least + SHIFT_STEP * np.arange(levels.max() + 1)
    inside = np.clip(energy + shifts[:, None], energy[0], energy[-1])
    values = CubicSpline(energy, np.vstack([spectra, np.zeros_like(energy)]), axis=1)(inside)
    return levels, np.ascontiguousarray(values.transpose(2, 1, 0).reshape(len(energy), -1), dtype=np.float32)


def _beam(share: float) -> float:
    """Return the strength of the beam, 1 on average, after a share of the scan."""
    return 1 + BEAM_LOSS * (0.5 - share) + BEAM_WAVE * float(np.sin(25 * share))


def _exposed(
    expected: Float32Array, detector: Detector, noise: NoiseModel, rng: np.random.Generator
) -> CountArray:
    sigma = np.sqrt(np.maximum(count_variance(expected, np.float32(noise.a), np.float32(noise.b)), 0))
    counts = expected + sigma * rng.standard_normal(expected.shape, dtype=np.float32)
    return _recorded(counts + detector.pattern, detector)


def _recorded(counts: Float32Array, detector: Detector) -> CountArray:
    whole = np.clip(np.rint(counts), 0, SATURATED).astype(np.uint16)
    whole[..., detector.dead] = 0
    whole[..., detector.hot] = SATURATED
    return whole
