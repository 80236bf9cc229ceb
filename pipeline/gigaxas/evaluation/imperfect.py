"""What instruments do to an image: noise that neighbours share, blur, energies and flat fields that drift."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.evaluation.scenes import VerifyScene, expose, smooth_field
from gigaxas.spectra.noise import NoiseModel

SLOW = 1 / 6
"""Width of what drifts over the field, as a share of its side."""


@dataclass(frozen=True)
class Imperfection:
    """How far an instrument is from a perfect one."""

    noise_blur: float = 0.0
    """Pixels (standard deviation) that noise is blurred by; its size in a pixel stays."""
    specimen_blur: float = 0.0
    """Pixels that the specimen is blurred by, before noise."""
    shift_ev: float = 0.0
    """Largest shift of energy to either side, varying smoothly over the field."""
    drift: float = 0.0
    """Largest error of the flat field to either side, varying smoothly, drawn anew at every energy."""
    light: float = 1.0
    """Reference counts over those of the working point."""
    thickness: float = 1.0
    """Largest thickness over the smallest, varying smoothly over the field."""
    leak: float = 0.0
    """Light that passes beside the specimen, as a share of the reference."""
    i0_error: float = 0.0
    """Error (standard deviation) of the absorbance of a whole image, by I0."""
    hits: float = 0.0
    """Share of the samples that a cosmic ray hits, which adds counts."""


IMPERFECTIONS: dict[str, Imperfection] = {
    "none": Imperfection(),
    "noise blurred by 0.8 px": Imperfection(noise_blur=0.8),
    "noise blurred by 1 px": Imperfection(noise_blur=1.0),
    "specimen blurred by 0.7 px": Imperfection(specimen_blur=0.7),
    "energy shifted by +- 0.3 eV": Imperfection(shift_ev=0.3),
    "energy shifted by +- 1 eV": Imperfection(shift_ev=1.0),
    "flat field drifting by +- 1 %": Imperfection(drift=0.01),
    "a quarter of the counts": Imperfection(light=0.25),
}

SPECK_IMPERFECTIONS: dict[str, Imperfection] = {
    "none": Imperfection(),
    "specimen blurred by 0.7 px": Imperfection(specimen_blur=0.7),
    "I0 off by 0.3 %": Imperfection(i0_error=0.003),
    "flat field drifting by +- 0.2 %": Imperfection(drift=0.002),
    "energy shifted by +- 0.2 eV": Imperfection(shift_ev=0.2),
    "1e-5 of the samples hit": Imperfection(hits=1e-5),
    "a leak of 1 %, thickness x 2": Imperfection(leak=0.01, thickness=2.0),
    "all of these": Imperfection(
        specimen_blur=0.7, i0_error=0.003, drift=0.002, shift_ev=0.2, hits=1e-5, leak=0.01, thickness=2.0
    ),
}
HIT_SIZE = 2.0
"""Mean loss of absorbance where a cosmic ray hits, distributed exponentially."""


class Measured(NamedTuple):
    """What an instrument made of a scene."""

    image: NDArray[np.float32]
    """(E, h, w) normalised absorbance."""
    hit: BoolArray
    """(h, w) whether a cosmic ray hit a sample of the pixel."""


def measure_imperfectly(
    scene: VerifyScene,
    energy: FloatArray,
    noise: NoiseModel,
    windows: tuple[slice, slice],
    imperfection: Imperfection,
    rng: np.random.Generator,
) -> Measured:
    """Measure a scene with an imperfect instrument.

    `energy` (E,) is in eV, `noise` already that of the counts that are left.
    """
    spectra = scene.spectra
    if imperfection.specimen_blur:
        width = imperfection.specimen_blur
        spectra = gaussian_filter(spectra, (width, width, 0))
    plane = spectra.shape[:2]
    if imperfection.shift_ev:
        spectra = _shifted(spectra, energy, imperfection.shift_ev * _drifting(plane, rng))
    step = np.full(plane, noise.edge_step)
    if imperfection.thickness != 1.0:
        step *= imperfection.thickness ** (0.5 * _drifting(plane, rng))
    if imperfection.leak:
        spectra = _leaking(spectra, step, noise.mu_low, imperfection.leak)
    image = expose(spectra, np.full(plane, noise.c_ref), step, noise, rng, windows)
    if imperfection.noise_blur:
        image = _with_blurred_noise(
            image, _normalised(np.moveaxis(spectra, -1, 0), windows), imperfection.noise_blur
        )
    error, hit = np.zeros((energy.size, 1, 1)), np.zeros(image.shape, np.bool_)
    if imperfection.drift:
        error = error + np.stack([imperfection.drift * _drifting(plane, rng) for _ in energy])
    if imperfection.i0_error:
        error = error + imperfection.i0_error * rng.standard_normal((energy.size, 1, 1))
    if imperfection.hits:
        hit = rng.random(image.shape) < imperfection.hits
        error = error - np.where(hit, rng.exponential(HIT_SIZE, image.shape), 0.0)
    if error.any():
        image = _normalised(image * step + error, windows)
    return Measured(image, np.asarray(hit.any(axis=0)))


def _drifting(plane: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Return a smooth field (h, w) from -1 to 1."""
    return 2.0 * smooth_field(plane, plane[0] * SLOW, rng) - 1.0


def _normalised(image: NDArray[np.floating], windows: tuple[slice, slice]) -> NDArray[np.float32]:
    low, high = (np.nanmean(image[window], axis=0) for window in windows)
    return ((image - low) / (high - low)).astype(np.float32)


def _with_blurred_noise(
    image: NDArray[np.float32], expected: NDArray[np.float32], width: float
) -> NDArray[np.float32]:
    """Return an image whose noise, what differs from the expected, is blurred and as large as before."""
    white = np.zeros((8 * int(np.ceil(width)) + 1,) * 2)
    white[white.shape[0] // 2, white.shape[1] // 2] = 1.0
    left = np.sqrt(np.sum(gaussian_filter(white, width) ** 2))
    return np.asarray(expected + gaussian_filter(image - expected, (0, width, width)) / left)


def _leaking(spectra: NDArray[np.float32], step: FloatArray, low: float, leak: float) -> NDArray[np.float32]:
    """Return spectra (h, w, E) as they are measured where a share of the light passes beside (METHOD 8)."""
    passed = np.exp(-(spectra * step[..., None] + low))
    return np.asarray((-np.log((passed + leak) / (1.0 + leak)) - low) / step[..., None], np.float32)


def _shifted(spectra: NDArray[np.float32], energy: FloatArray, shift: FloatArray) -> NDArray[np.float32]:
    """Return spectra (h, w, E) as pixels measure them that see the energies + shift (h, w)."""
    moved = np.empty_like(spectra)
    for row, (there, off) in enumerate(zip(spectra, shift, strict=True)):
        seen = np.clip(energy + off[:, None], energy[0], energy[-1])
        between = np.clip(np.searchsorted(energy, seen, "right") - 1, 0, energy.size - 2)
        past, pixel = seen - energy[between], np.arange(len(there))[:, None]
        values = np.zeros(seen.shape)
        for coefficients in CubicSpline(energy, there, axis=1).c:
            values = values * past + coefficients[between, pixel]
        moved[row] = values
    return moved
