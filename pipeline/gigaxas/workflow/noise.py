"""The numbers of a camera's noise, where the configuration leaves them to be measured."""

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.config.schema import Config, NoiseSection
from gigaxas.execution.cluster import Announce
from gigaxas.raw.readers.frames import open_frames
from gigaxas.spectra.camera import Calibration, calibrate_frames
from gigaxas.stores.cube import CubeInfo
from gigaxas.stores.working_point import measure_working_point
from gigaxas.workflow.edge import ranges_of


def resolve_noise(config: Config, cube: CubeInfo | None, announce: Announce = lambda line: None) -> Config:
    """Return the configuration with every number of its camera that can be known; `announce` hears of each.

    The working point of a cube that is still to be made (`cube` None) is left open, to be measured when it is
    there. A configuration that gives all numbers, or no camera, comes back as it is. Raises InputError where
    a number cannot be measured or the model of what was measured has no value.
    """
    noise = config.noise
    if noise.is_given or config.noise_kind != "camera":
        return config
    values = {name: getattr(noise, name) for name in ("c_ref", "mu_low", "mu_high", "a", "b")}
    lines = [noise.note] if noise.note else []
    if noise.frames:
        found, line = _camera(noise.frames)
        values |= {"a": found.a, "b": found.b}
        lines.append(line)
        announce(f"noise      {line}")
        if not found.describes:
            announce(f"warning    {_misfit(noise.frames, found)}")
    if noise.working_point == "cube" and cube is None:
        known = {"a": values["a"], "b": values["b"], "note": "; ".join(lines)}
        known |= {"c_ref": noise.c_ref} if "c_ref" in noise.model_fields_set else {}
        return config.model_copy(
            update={"noise": NoiseSection(model="camera", working_point="cube", **known)}
        )
    if noise.working_point == "cube" and cube is not None:
        measured, line = _working_point(config, cube, values["a"], values["b"])
        values |= measured
        lines.append(line)
        announce(f"noise      {line}")
    return config.model_copy(update={"noise": NoiseSection(model="camera", **values, note="; ".join(lines))})


def _camera(source: str) -> tuple[Calibration, str]:
    frames = open_frames(source)
    found = calibrate_frames(frames)
    count, height, width = frames.stack.shape
    line = (
        f"A = {found.a:.4f} +- {found.a_error:.2g}, B = {found.b:.4g} +- {found.b_error:.2g} from {count} "
        f"frames of {height} x {width} pixels ({source}); chi-square {found.misfit:.2f} per degree of freedom"
    )
    return found, line if found.describes else f"{line}, which describes them badly"


def _misfit(source: str, found: Calibration) -> str:
    return (
        f"noise.frames: the variance in {source} leaves the line A N - B by {found.deviation:.0%} where "
        "noise explains less, so A and B are not the camera's alone: the specimen moved, the beam flickered, "
        "or the images were corrected; take raw frames of one unchanged field, or give a and b"
    )


def _working_point(config: Config, info: CubeInfo, a: float, b: float) -> tuple[dict[str, float], str]:
    given = config.noise.c_ref if "c_ref" in config.noise.model_fields_set else None
    point = measure_working_point(info, _samples(config, info), given, a, b)
    c_ref, mu_low, mu_high = (float(value) for value in point.mean)
    spread = point.deviation
    return {"c_ref": c_ref, "mu_low": mu_low, "mu_high": mu_high}, (
        f"c_ref {c_ref:.0f} (spread {spread[0]:.0f}), mu_low {mu_low:.4f} ({spread[1]:.2g}), mu_high "
        f"{mu_high:.4f} ({spread[2]:.2g}) over {point.pixels:,} of {point.total:,} pixels of {info.path}"
    )


def _samples(config: Config, info: CubeInfo) -> tuple[int, int]:
    """Return how many energies of the cube lie in the pre-edge and in the post-edge range."""
    ranges = ranges_of(config)
    return _count(info.energy, ranges.pre_edge), _count(info.energy, ranges.post_edge)


def _count(energy: FloatArray, span: tuple[float, float]) -> int:
    return max(1, int(np.count_nonzero((energy >= span[0]) & (energy <= span[1]))))
