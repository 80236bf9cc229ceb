"""HDF5 as programs lay out spectra: what is read of each layout, or what is said."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.spectra.readers.formats import read_file

ENERGY = np.linspace(7000.0, 7300.0, 31)
MU = 0.3 + 1 / (1 + np.exp(-(ENERGY - 7125)))
I0 = 1e5 + 100 * np.sin(ENERGY)


def vectors(group, units="", **arrays):
    for name, values in arrays.items():
        group[name] = values
    if units:
        group["energy"].attrs["units"] = units
    return group


def classed(parent, name, kind, **attributes):
    group = parent.create_group(name)
    group.attrs.update({"NX_class": kind, **attributes})
    return group


def araucaria(file):
    vectors(file.create_group("Goethite"), energy=ENERGY, mu=MU, mu_ref=2 * MU)
    vectors(file.create_group("Foil"), energy=ENERGY, mu_ref=MU)
    file.create_group("notes")["text"] = "no spectrum"


def larch_groups(file):
    inner = file.create_group("groups/Hematite")
    vectors(inner, energy=ENERGY, mu=MU, norm=MU / 2, i0=I0)
    inner.create_group("athena_params")["e0"] = 7125.0


def larch_nexus(file):
    entry = classed(file, "entry_01", "NXentry")
    entry["definition"], entry["title"] = "NXxas", "Fe2O3  [Fe K edge]"
    beam = classed(classed(entry, "instrument", "NXinstrument"), "monochromator", "NXmonochromator")
    vectors(beam, "keV", energy=ENERGY / 1e3)
    classed(entry["instrument"], "source", "NXsource")["energy"] = 7.0
    data = classed(entry, "data", "NXdata")
    data["energy"] = h5py.SoftLink("/entry_01/instrument/monochromator/energy")
    vectors(data, i0=I0, itrans=I0 * np.exp(-MU), mutrans=MU)


def nexus_counts(file):
    data = classed(classed(file, "Fe3O4", "NXentry"), "data", "NXdata")
    vectors(data, "eV", energy=ENERGY, i0=I0, ifluor=MU * I0)


def nexus_signal(file):
    data = classed(
        classed(file, "entry", "NXentry"), "plot", "NXdata", signal="intensity", axes=["energy_set"]
    )
    vectors(data, energy_set=ENERGY / 1e3, intensity=MU)
    data["energy_set"].attrs["units"] = "keV"


def nexus_beams(file, mode):
    entry = classed(file, "FeO", "NXentry")
    entry["definition"] = "NXxas"
    instrument = classed(entry, "instrument", "NXinstrument")
    classed(instrument, "incoming_beam", "NXdetector")["data"] = I0
    signal = I0 * np.exp(-MU) if mode == "Transmission" else I0 * MU
    data = classed(entry, "data", "NXdata", signal="absorbed_beam")
    vectors(data, energy=ENERGY, absorbed_beam=signal)
    data["mode"] = mode


READ = {
    "araucaria": (araucaria, ["Foil", "Goethite"]),
    "Larch's groups": (larch_groups, ["Hematite"]),
    "Larch's NXxas": (larch_nexus, ["Fe2O3 [Fe K edge]"]),
    "counts": (nexus_counts, ["Fe3O4"]),
    "the signal of NXdata": (nexus_signal, ["plot"]),
    "beams, transmission": (lambda file: nexus_beams(file, "Transmission"), ["FeO"]),
    "beams, fluorescence": (lambda file: nexus_beams(file, "Fluorescence Yield"), ["FeO"]),
}


@pytest.mark.parametrize("case", READ)
def test_a_layout_is_read(tmp_path: Path, case: str) -> None:
    write, names = READ[case]
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        write(file)
        file["elsewhere"] = h5py.ExternalLink("/etc/hostname", "/")
        file["circle"] = file["/"]
    found = read_file(tmp_path / "a.nxs", "a.nxs")
    assert [item.name for item in found] == names
    for spectrum in found:
        np.testing.assert_allclose(spectrum.energy, ENERGY, rtol=1e-12)
        np.testing.assert_allclose(spectrum.mu, MU, rtol=1e-9)


def outside(file):
    Path(file.filename).with_name("other").write_bytes(bytes(31 * 8))
    group = vectors(file.create_group("a"), mu=MU)
    place = [(Path(file.filename).with_name("other"), 0, 31 * 8)]
    group.create_dataset("energy", shape=(31,), dtype="f8", external=place)


def linked(file):
    vectors(file.create_group("a"), mu=MU)["energy"] = h5py.ExternalLink("other.h5", "/energy")


def too_much(file):
    file.create_group("a").create_dataset("energy", shape=(10**12,), dtype="f8", chunks=(1024,))
    file["a"]["mu"] = MU


REFUSED = {
    "a stack of images": (lambda f: vectors(f, data=np.zeros((3, 4, 5))), r"but data \(3, 4, 5\); expected"),
    "many arrays": (lambda f: vectors(f, **{f"d{i}": MU for i in range(9)}), r"d5 \(31,\), \.\.\.; expected"),
    "nothing": (lambda f: f.create_group("a"), "no group holds energies and mu, but no arrays"),
    "a cube": (lambda f: vectors(f, energy=ENERGY, mu=np.zeros((31, 2, 2))), "mu is no vector of numbers"),
    "a shorter mu": (lambda f: vectors(f, energy=ENERGY, mu=MU[:-1]), "31,.* energies and .30,.* values"),
    "only i0": (lambda f: vectors(f, energy=ENERGY, i0=I0), "expected mu .* or i0 with itrans"),
    "only times": (lambda f: vectors(f, energy=ENERGY, time=MU), "holds no mu; expected one of mu, fluo"),
    "counts of two lengths": (lambda f: vectors(f, energy=ENERGY, i0=I0, itrans=I0[1:]), "different lengths"),
    "no unit of energy": (lambda f: vectors(f, "mm", energy=ENERGY, mu=MU), "found the unit 'mm'"),
    "beams without a mode": (lambda f: nexus_beams(f, ""), "absorbed_beam without incoming_beam or mode"),
    "energies in another file": (outside, "kept in another file"),
    "a link to another file": (linked, "energy is no vector of numbers"),
    "more than there can be": (too_much, "claims 1000000000000 samples"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_layout_that_is_not_understood_is_refused_with_what_is_in_it(tmp_path: Path, case: str) -> None:
    write, sentence = REFUSED[case]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        write(file)
    (error,) = read_file(tmp_path / "a.h5", "a.h5")
    with pytest.raises(InputError, match=sentence):
        raise error
