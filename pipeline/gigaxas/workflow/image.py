"""What the image itself tells before its sites are made: its quantity, its noise, which pixels are void."""

from dataclasses import dataclass, replace

import numpy as np

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.observed import sample_grid
from gigaxas.spectra.edges import find_edge, rise
from gigaxas.spectra.measured_noise import MeasuredNoise, measure_noise
from gigaxas.spectra.noise import Noise, mean_share
from gigaxas.spectra.quantity import Looks, Quantity, check_quantity, guess_quantity, look
from gigaxas.spectra.void import VoidRule, void_reasons
from gigaxas.stores.cube import CubeInfo
from gigaxas.tasks.pixels import ScreenedCube, read_pixels, signal
from gigaxas.tiles import flat
from gigaxas.workflow.edge import edge_of, ranges_of

WINDOW = 5
"""Side of the windows that references are aligned with, in pixels."""
MOST_WINDOWS = 200
"""Windows that references are aligned with."""
DISAGREE = 0.2
"""Difference of a given noise from what the image shows that the user is warned of."""


@dataclass(frozen=True, eq=False)
class ImageFound:
    """What a look at sample areas of the image has told."""

    quantity: Quantity
    """What its samples are."""
    guessed: bool
    """Whether nobody has said so."""
    noise: Noise
    """The noise of a sample in the cube's own unit: measured, or as it was given."""
    typical: FloatArray
    """Mean spectrum (E,) of the pixels with a signal."""
    share: float
    """Noise of a typical sample as a share of the edge step, or of the mean of an intensity."""
    measured: MeasuredNoise | None
    """What the image shows of its noise; None where it was given and cannot be measured."""
    cube: ScreenedCube
    """The cube that knows what makes a pixel void."""
    of: str
    """What `share` is a share of."""
    windows: FloatArray
    """Mean spectra (n, E) of small windows with a signal, spread over the image."""
    windows_sigma: FloatArray
    """Their noise (n, E)."""

    @property
    def measured_share(self) -> float:
        """The noise that the image shows, as `share`; NaN where it cannot be measured."""
        if self.measured is None:
            return float("nan")
        return self.share * _rms(self.measured.model, self.typical) / _rms(self.noise, self.typical)


def look_at_image(config: Config, info: ScreenedCube) -> ImageFound | None:
    """Look at sample areas of a cube: what its samples are, their noise, what a typical spectrum is.

    None where the areas hold no valid pixel and a camera's numbers tell the noise all the same. Raises
    InputError where the data contradict what they are said to hold, where the noise cannot be measured, and
    where no pixel has a signal.
    """
    areas = [
        signal(read_pixels(info, tile), info).astype(np.float64) for tile in flat(sample_grid(info.plane))
    ]
    spectra = np.concatenate([area.reshape(len(area), -1).T for area in areas])
    valid = spectra[void_reasons(spectra.T, None) == 0]
    if not valid.size and config.noise_kind == "camera":
        return None
    before, after = edge_masks(config, info.energy)
    quantity, guessed = _settle_quantity(config, info, look(valid, before, after))
    if guessed and before is None:
        _refuse_transmission(info, valid.mean(axis=0))
    measured = _measured(config, quantity, areas)
    noise = _settle_noise(config, quantity, measured, info.energy.size)
    # normalised by the measure of a camera, a cube is void where the camera said so: it has no valid sample
    whole = quantity == "normalised" and config.noise_kind == "camera"
    wanted = config.void
    rule = VoidRule(noise, before, after, wanted.least_step, wanted.least_sum, quantity == "intensity")
    ruled = info.with_rule(None if whole else rule)
    typical = _typical(valid, ruled)
    share, of = _share(typical, rule)
    windows, side = _windows(areas, ruled.void)
    sigma = noise.sigma_at(windows, 0.0, 1.0) * np.sqrt(mean_share(noise.space, side))
    return ImageFound(quantity, guessed, noise, typical, share, measured, ruled, of, windows, sigma)


def edge_masks(config: Config, energy: FloatArray) -> tuple[BoolArray | None, BoolArray | None]:
    """Return which energies (E,) lie before and which after the edge; None and None without an edge."""
    if config.references.pre_edge is None:
        return None, None
    edge, ranges = edge_of(config), ranges_of(config)
    high = ranges.post_edge if edge is None else rise(edge, ranges)
    before, after, post = (
        (energy >= low) & (energy <= top) for low, top in (ranges.pre_edge, high, ranges.post_edge)
    )
    # an axis may be too coarse for a white line of 4 eV
    return before, after if after.any() else post


def told_noise(found: ImageFound, given: bool) -> list[str]:
    """Return lines on the noise; no figure in them depends on the unit of the cube. `given`: not measured."""
    of = found.of
    lines = [f"{found.share:.2%} of the {of}, as given"] if given else []
    if found.measured is None:
        return [*lines, "the image does not tell its noise beside it"]
    seen, error = found.measured_share, found.measured.error
    lines.append(f"{seen:.2%} of the {of} (+- {error:.1%} of it), measured in the image")
    lines.append(_told_correlation(found.measured.model))
    if abs(found.share / seen - 1.0) > DISAGREE:
        lines.append(
            f"warning    the noise given is {found.share / seen:.2f} times what the image shows; take "
            "noise.model: measured, or correct the numbers"
        )
    return lines


def _told_correlation(noise: Noise) -> str:
    space, energy = noise.space, noise.energy
    middle = space.shape[0] // 2
    x, y = (space[middle, middle + 1], space[middle + 1, middle]) if middle else (0.0, 0.0)
    after = energy[1] if energy.size > 1 else 0.0
    # adding 0.0 turns -0.00 into 0.00
    x, y, after = (round(float(value), 2) + 0.0 for value in (x, y, after))
    return f"neighbouring pixels correlated by {x:.2f} along x and {y:.2f} along y, energies by {after:.2f}"


def _settle_quantity(config: Config, info: CubeInfo, found: Looks) -> tuple[Quantity, bool]:
    claim = (config.cube.quantity if config.cube else None) or info.quantity
    try:
        quantity = claim or guess_quantity(found, config.noise_kind == "camera")
        check_quantity(quantity, found, guessed=claim is None)
    except InputError as error:
        raise InputError(f"{info.path}: {error}") from None
    return quantity, claim is None


def _refuse_transmission(info: CubeInfo, mean: FloatArray) -> None:
    """Raise InputError where a mean spectrum (E,) without an edge has one as its logarithm falls."""
    if info.unit != "eV" or mean.min() <= 0:
        return
    edge = find_edge(info.energy, -np.log(mean))
    if edge:
        raise InputError(
            f"{info.path}: the signal falls at {edge.name}, as transmission counts do; set quantity: counts "
            "and i0 (in ingest), or quantity: intensity if it is one"
        )


def _measured(config: Config, quantity: Quantity, areas: list[FloatArray]) -> MeasuredNoise | None:
    """Measure the noise; None where that fails and another model is given."""
    try:
        return measure_noise(areas, quantity == "intensity")
    except InputError:
        if config.noise_kind == "measured":
            raise
        return None


def _settle_noise(config: Config, quantity: Quantity, measured: MeasuredNoise | None, energies: int) -> Noise:
    if config.noise_kind == "measured":
        assert measured is not None
        return measured.model
    if config.noise_kind == "camera":
        if quantity == "intensity":
            raise InputError(
                "noise: a camera's numbers tell the noise of an absorbance, the cube holds an intensity; set "
                "noise.model: counts or measured"
            )
        camera = config.noise.camera()
        # of absorbance as it is, a value of 1 stands for an absorbance of 1
        return replace(camera, mu_low=0.0, mu_high=1.0) if quantity == "absorbance" else camera
    given = config.noise.signal()
    if np.size(given.read) not in (1, energies):
        raise InputError(
            f"noise.sigma: {np.size(given.read)} numbers for {energies} energies; give one, or one each"
        )
    return given


def _typical(spectra: FloatArray, info: ScreenedCube) -> FloatArray:
    good = void_reasons(spectra.T, info.void) == 0
    if not good.any():
        raise InputError(
            f"{info.path}: all of {len(good):,} sample pixels are void; expected some with a signal; look at "
            "the quantity, the edge, the noise and `void.least_step`"
        )
    return np.asarray(spectra[good].mean(axis=0))


def _rms(noise: Noise, spectrum: FloatArray) -> float:
    return float(np.sqrt(np.mean(noise.sigma_at(spectrum, 0.0, 1.0) ** 2)))


def _windows(areas: list[FloatArray], rule: VoidRule | None) -> tuple[FloatArray, int]:
    """Return the mean spectra (n, E) of at most MOST_WINDOWS windows whose every pixel has a signal.

    And the side of a window: one pixel where no larger window is whole.
    """
    windows = _whole_windows(areas, rule, WINDOW)
    side = WINDOW if windows.size else 1
    windows = windows if windows.size else _whole_windows(areas, rule, 1)
    chosen = np.unique(np.linspace(0, len(windows) - 1, MOST_WINDOWS).round().astype(int))
    return windows[chosen], side


def _whole_windows(areas: list[FloatArray], rule: VoidRule | None, side: int) -> FloatArray:
    found = []
    for area in areas:
        energies, height, width = area.shape
        rows, columns = height // side, width // side
        cut = area[:, : rows * side, : columns * side]
        good = void_reasons(cut.reshape(energies, -1), rule).reshape(rows, side, columns, side) == 0
        mean = cut.reshape(energies, rows, side, columns, side).mean(axis=(2, 4))
        found.append(mean[:, good.all(axis=(1, 3))].T)
    return np.concatenate(found)


def _share(typical: FloatArray, rule: VoidRule) -> tuple[float, str]:
    """Return the noise of a typical sample as a share of the edge step or the mean signal, and which."""
    sigma = _rms(rule.noise, typical)
    if rule.intensity or rule.before is None or rule.after is None:
        return sigma / max(abs(float(typical.mean())), 1e-300), "mean signal"
    step = float(typical[rule.after].mean() - typical[rule.before].mean())
    return sigma / max(abs(step), 1e-300), "edge step"
