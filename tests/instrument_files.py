"""Files of instruments with one spectrum each, as small as their readers take them."""

import base64
import struct
import zlib

import numpy as np

ENERGY = 700.0 + 0.5 * np.arange(12)
COUNTS = np.array([3, 4, 4, 5, 9, 20, 17, 12, 11, 11, 10, 10])


def _dm_tag(name: str, value: object) -> bytes:
    """A tag of DigitalMicrograph 3: a group, a text, a number or an array of float32, little-endian."""
    head = struct.pack(">BH", 20 if isinstance(value, dict) else 21, len(name)) + name.encode()
    if isinstance(value, dict):
        return head + _dm_group(value)
    if isinstance(value, str):
        text = value.encode("utf-16-le")
        return head + b"%%%%" + struct.pack(">4i", 3, 20, 4, len(value)) + text
    if isinstance(value, np.ndarray):
        return head + b"%%%%" + struct.pack(">4i", 3, 20, 6, value.size) + value.astype("<f4").tobytes()
    kind, form = (6, "<f") if isinstance(value, float) else (3, "<i")
    return head + b"%%%%" + struct.pack(">2i", 1, kind) + struct.pack(form, value)


def _dm_group(tags: dict[str, object]) -> bytes:
    return struct.pack(">BBi", 0, 0, len(tags)) + b"".join(_dm_tag(*item) for item in tags.items())


def dm3(counts: np.ndarray = COUNTS, unit: str = "eV", offset: float = 700.0, step: float = 0.5) -> bytes:
    """A DigitalMicrograph 3 file of an image (y, x) or of a spectrum (E,)."""
    axis = {"Origin": -offset / step, "Scale": step, "Units": unit}
    data = {
        "Calibrations": {
            "Brightness": {"Origin": 0.0, "Scale": 1.0, "Units": ""},
            "Dimension": {str(i): axis for i in range(counts.ndim)},
        },
        "Data": counts.ravel(),
        "DataType": 2,
        "Dimensions": {str(i): size for i, size in enumerate(counts.shape[::-1])},
    }
    body = _dm_group({"ImageList": {"": {"ImageData": data, "ImageTags": {}, "Name": "EELS"}}})
    return struct.pack(">3i", 3, len(body), 1) + body


def wdf(counts: np.ndarray = COUNTS, unit: int = 1) -> bytes:
    """A file of Renishaw's WiRE with one spectrum; unit 1 is 1/cm, 2 is nm."""
    head = struct.pack("<Q16s12sII", 0, b"", b"", 1, 0)
    head += struct.pack("<IQQIIII", counts.size, 1, 1, 1, 1, counts.size, 0)
    head += struct.pack("<24s8sIIQQIf", b"WiRE", b"", 1, 1, 0, 0, 16, 0.0)
    blocks = (
        (b"WDF1", 1, head.ljust(512 - 16, b"\0")),
        (b"DATA", 0, counts.astype("<f4").tobytes()),
        (b"XLST", 0, struct.pack("<II", 1, unit) + ENERGY.astype("<f4").tobytes()),
    )
    return b"".join(struct.pack("<4sIQ", name, i, len(body) + 16) + body for name, i, body in blocks)


def spc(counts: np.ndarray = COUNTS, claimed: int = 12) -> bytes:
    """A file of EDAX (.spc 0.61) of steps of 5 eV from 0.7 keV."""
    from rsciio.edax._api import get_spc_dtype_list

    head = np.zeros(1, dtype=get_spc_dtype_list(load_all=True, version=0.61))
    places = {"fVersion": 0.61, "numPts": claimed, "dataStart": head.nbytes}
    for name, value in (places | {"evPerChan": 5, "startEnergy": 0.7}).items():
        head[name] = value
    return head.tobytes() + counts.astype("<u4").tobytes()


def spx(channels: str = ",".join(map(str, COUNTS))) -> bytes:
    """A file of Bruker's Esprit of steps of 5 eV from 0.7 keV."""
    layers = base64.b64encode(zlib.compress(b"<a><b c='1'/></a>")).decode()

    def instance(kind: str, inside: str) -> str:
        return f'<ClassInstance Type="TRT{kind}" Name="">{inside}</ClassInstance>'

    headers = instance("SpectrumHardwareHeader", "<Amplification>1</Amplification>")
    headers += instance("DetectorHeader", f"<Type>X</Type><DetLayers>{layers}</DetLayers>")
    headers += instance("ESMAHeader", "<PrimaryEnergy>20</PrimaryEnergy><ElevationAngle>35</ElevationAngle>")
    own = "<Date>27.11.2026</Date><Time>12:00:00</Time><CalibAbs>0.7</CalibAbs><CalibLin>0.005</CalibLin>"
    inside = f"<TRTHeaderedClass>{headers}</TRTHeaderedClass>{instance('SpectrumHeader', own)}"
    spectrum = instance("Spectrum", f"{inside}<Channels>{channels}</Channels>")
    return f'<?xml version="1.0"?><TRTSpectrum>{spectrum}</TRTSpectrum>'.encode()
