"""What instruments do to an image: noise that neighbours share, blur, energies and flat fields that drift."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter

from gigaxas.arrays import FloatArray
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


def measure_imperfectly(
    scene: VerifyScene,
    energy: FloatArray,
    noise: NoiseModel,
    windows: tuple[slice, slice],
    imperfection: Imperfection,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Measure a scene with an imperfect instrument: normalised absorbance (E, h, w), as `VerifyScene`.

    `energy` (E,) is in eV, `noise` already that of the counts that are left.
    """
    spectra = scene.spectra
    if imperfection.specimen_blur:
        width = imperfection.specimen_blur
        spectra = gaussian_filter(spectra, (width, width, 0))
    if imperfection.shift_ev:
        shift = imperfection.shift_ev * _drifting(spectra.shape[:2], rng)
        spectra = _shifted(spectra, energy, shift)
    plane = spectra.shape[:2]
    counts, step = np.full(plane, noise.c_ref), np.full(plane, noise.edge_step)
    image = expose(spectra, counts, step, noise, rng, windows)
    if imperfection.noise_blur:
        image = _with_blurred_noise(
            image, _normalised(np.moveaxis(spectra, -1, 0), windows), imperfection.noise_blur
        )
    if imperfection.drift:
        error = np.stack([imperfection.drift * _drifting(plane, rng) for _ in energy])
        image = _normalised(image * noise.edge_step + error, windows)
    return image


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


def _shifted(spectra: NDArray[np.float32], energy: FloatArray, shift: FloatArray) -> NDArray[np.float32]:
    """Return spectra (h, w, E) as pixels measure them that see the energies + shift (h, w)."""
    each, number = np.unique(spectra.reshape(-1, energy.size), axis=0, return_inverse=True)
    moved = np.empty((shift.size, energy.size), np.float32)
    for one, spectrum in enumerate(each):
        here = number.ravel() == one
        seen = np.clip(energy + shift.ravel()[here, None], energy[0], energy[-1])
        moved[here] = CubicSpline(energy, spectrum)(seen)
    return moved.reshape(spectra.shape)
