"""Small raw measurements with a known truth, written as files, and the slow oracle of METHOD 1."""

import h5py
import numpy as np
from gigaxas.config.schema import Ingest
from scipy import ndimage

ENERGY = np.linspace(7000.0, 7300.0, 61)
PRE, POST, EDGE = (7000.0, 7080.0), (7190.0, 7300.0), 7125.0
A, B = 9.3131, 63.003
C_REF = 2.7e4


def spectrum(energy):
    """An edge with a white line, from a decaying background."""
    rise = 0.5 * (1 + np.tanh((energy - 7124) / 6))
    return rise * (1 + 0.4 * np.exp(-(((energy - 7132) / 6) ** 2)))


def texture(shape, seed=0, scale=3.0):
    """A smooth random map (y, x) between about 0.4 and 1.6, that splines can shift by parts of a pixel."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), scale)
    return 1 + 0.25 * noise / noise.std()


def counts(mu, rng, c_ref=C_REF, dark=100.0):
    """Transmitted and reference counts (E, h, w) of absorbance mu, with camera noise and a dark level."""
    images = []
    for expected in (c_ref * np.exp(-mu), np.full(mu.shape, c_ref)):
        sigma = np.sqrt(np.maximum(A * expected - B, 0))
        images.append(np.rint(expected + sigma * rng.normal(size=mu.shape) + dark).astype(np.uint16))
    return images


def field_mu(amount, energy_shift=0.0):
    """Absorbance (E, h, w) of a map of amounts (h, w) of one phase, seen at energies off by a map of eV."""
    seen = ENERGY[:, None, None] + np.broadcast_to(energy_shift, amount.shape)
    return 0.36 * (seen / ENERGY[0]) ** -3 + 1.2 * amount * spectrum(seen)


def write_fields(folder, fields, stage_um, dark=100):
    """Write {name: (transmitted, reference)} and their stage positions as HDF5 and a CSV."""
    folder.mkdir(exist_ok=True)
    for name, (transmitted, reference) in fields.items():
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["data/sample"], file["data/open"] = transmitted, reference
            file["data/dark"] = np.full((3, *transmitted.shape[1:]), dark, np.uint16)
            file["data/energy"] = ENERGY
            file["data/energy"].attrs["units"] = "eV"
    write_positions(folder, stage_um)


def write_positions(folder, stage_um, unit="um"):
    lines = [f"field,y_{unit},x_{unit}", *(f"{name},{y},{x}" for name, (y, x) in stage_um.items())]
    (folder / "positions.csv").write_text("\n".join(lines) + "\n")


def ingest(folder, **fields):
    """The section `ingest` over such a folder."""
    settings = {
        "transmitted": f"{folder}/{{field}}.h5::data/sample",
        "reference": f"{folder}/{{field}}.h5::data/open",
        "dark": f"{folder}/{{field}}.h5::data/dark",
        "positions": f"{folder}/positions.csv",
        "stage_error_um": 8.0,
    }
    energies = fields.pop("energies", f"{folder}/f1.h5::data/energy")
    return Ingest.model_validate(
        {"energies": energies, "pixel_um": 1.0, "chunk": 32, "fields": {**settings, **fields}}
    )


def oracle(transmitted, reference, dark, floor=B / A, saturation=65535):
    """METHOD 1 for one pixel, sample by sample: normalised absorbance (E,), or None for an invalid pixel."""
    mu = []
    for t, r in zip(transmitted, reference, strict=True):
        if t >= saturation or r >= saturation or t - dark < floor or r - dark < floor:
            return None
        mu.append(np.log((r - dark) / (t - dark)))
    mu = np.array(mu)
    pre, post = ((low <= ENERGY) & (high >= ENERGY) for low, high in (PRE, POST))
    inside = np.clip(ENERGY, PRE[0], POST[1])
    above = mu - np.polyval(np.polyfit(ENERGY[pre], mu[pre], 1), inside)
    return above / np.polyval(np.polyfit(ENERGY[post], above[post], 1), inside)
