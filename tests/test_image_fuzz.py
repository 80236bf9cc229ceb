"""Hostile bytes in files of images: whatever they hold, they are read or refused in a sentence."""

import tempfile
from functools import cache
from pathlib import Path

import pytest
from gigaxas.config.schema import Ingest
from gigaxas.errors import InputError, RunError
from gigaxas.raw.readers.images import read_stack
from gigaxas.raw.readers.stack import describe_stack
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import ENERGY, IMAGES_ALONE, SILENT, TELLING

FILES = {
    name: made
    for name, made in (TELLING | SILENT | IMAGES_ALONE).items()
    if not made[0].endswith((".zarr", ".zspy", ".hdr")) and name not in ("NXstxm, any ending", "OME-TIFF")
}
SPLICES = st.lists(
    st.tuples(st.integers(0, 2**20), st.integers(0, 40), st.binary(max_size=8)), min_size=1, max_size=4
)


@cache
def seed(name: str) -> dict[str, bytes]:
    file, write = FILES[name]
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / file)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def read_or_refuse(path: Path) -> None:
    try:
        found = describe_stack(Ingest(stack=str(path), energies=tuple(ENERGY)))
        height, width = found.stack.plane
        read_stack(found.stack, (slice(0, min(height, 4)), slice(0, min(width, 4))))
    except (InputError, RunError):
        return


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=40, deadline=None)
@given(splices=SPLICES)
def test_a_damaged_file_is_read_or_refused(name, splices):
    with tempfile.TemporaryDirectory() as folder:
        for file, content in seed(name).items():
            for at, length, new in splices:
                start = at % (len(content) + 1)
                content = content[:start] + new + content[start + length :]
            (Path(folder) / file).write_bytes(content)
        read_or_refuse(Path(folder) / FILES[name][0])


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=15, deadline=None)
@given(share=st.floats(0, 1))
def test_a_file_cut_short_is_read_or_refused(name, share):
    with tempfile.TemporaryDirectory() as folder:
        for file, content in seed(name).items():
            (Path(folder) / file).write_bytes(content[: int(share * len(content))])
        read_or_refuse(Path(folder) / FILES[name][0])


@pytest.mark.parametrize("ending", [".tif", ".txrm", ".xim", ".ncb", ".wdf", ".dm4", ".emd", ".bcf", ".x"])
@settings(max_examples=10, deadline=None)
@given(content=st.binary(max_size=200))
def test_random_bytes_are_refused(ending, content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{ending}"
        path.write_bytes(content)
        read_or_refuse(path)
