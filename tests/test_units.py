"""Units as instruments spell them: understood whole, or refused."""

import pytest
from gigaxas.errors import InputError
from gigaxas.units import ev_per, is_wavenumber, um_per


@pytest.mark.parametrize(
    ("spelling", "worth"),
    [
        *((name, 1.0) for name in ("eV", "ev", "EV", "electronvolt", "electron volts", "Electron Volt")),
        *((name, 1e3) for name in ("keV", "kev", "KEV", "KeV")),
        ("meV", 1e-3),
        ("MeV", 1e6),
    ],
)
def test_energies(spelling, worth):
    assert ev_per(spelling) == pytest.approx(worth)


@pytest.mark.parametrize(
    ("spelling", "worth"),
    [
        *(
            (name, 1.0)
            for name in ("um", "UM", "\xb5m", "\u03bcm", "micron", "microns", "Micrometer", " um ")
        ),
        *((name, 1e3) for name in ("mm", "MM", "millimetres")),
        *((name, 1e-3) for name in ("nm", "NM")),
        ("m", 1e6),
        ("\xc5", 1e-4),
    ],
)
def test_lengths(spelling, worth):
    assert um_per(spelling) == pytest.approx(worth)


@pytest.mark.parametrize(
    "unknown",
    [
        "",
        "px",
        "pixel",
        "<undefined>",
        "1",
        "A",
        "furlongs per",
        "s",
        "1/cm",
        "None",
        "eV{",
        "Empty(x=('S1'))",
    ],
)
@pytest.mark.parametrize("read", [ev_per, um_per])
def test_what_is_no_such_unit_is_refused(read, unknown):
    with pytest.raises(InputError, match="found the unit"):
        read(unknown)


@pytest.mark.parametrize(
    ("spelling", "is_one"), [("1/cm", True), ("cm-1", True), ("cm^-1", True), ("1/m", False), ("nm", False)]
)
def test_raman_shifts(spelling, is_one):
    assert is_wavenumber(spelling) == is_one
