"""What `gigaxas info` says of a file, and whether the lines that it prints read the file."""

import gigaxas as gx
import h5py
import numpy as np
import pytest
from gigaxas.cli.verbs import app
from gigaxas.config.schema import Ingest
from gigaxas.config.yaml import parse_yaml
from gigaxas.errors import InputError
from gigaxas.raw.readers.images import read_stack
from gigaxas.raw.readers.stack import describe_stack
from gigaxas.stores import cube
from image_files import ENERGY, IMAGES, SILENT, TELLING, nexus
from typer.testing import CliRunner

SPECTRUM = np.column_stack([np.arange(7100.0, 7120), np.arange(20)])
WHOLE = (slice(0, 6), slice(0, 5))


@pytest.mark.parametrize("name", [*TELLING, *SILENT])
def test_the_lines_that_are_printed_read_the_file(tmp_path, name):
    ending, write = (TELLING | SILENT)[name]
    write(tmp_path / ending)
    found = gx.info(tmp_path / ending)
    settings = parse_yaml(found.settings, tmp_path / "c.yaml")["ingest"]
    if name in SILENT:
        assert settings["energies"] == "energies.txt"
        np.savetxt(tmp_path / "energies.txt", ENERGY)
        settings["energies"] = str(tmp_path / "energies.txt")
    stack = describe_stack(Ingest(**settings)).stack
    np.testing.assert_allclose(read_stack(stack, WHOLE), IMAGES, atol=0.5)
    if name in TELLING:
        assert any(row.energies == "4 from 7100 to 7106 eV" for row in found.rows)


def test_arrays_are_told_one_by_one(tmp_path):
    nexus(tmp_path / "a.nxs")
    found = gx.info(tmp_path / "a.nxs")
    assert [(row.name, row.shape) for row in found.rows] == [
        ("entry/counter0/data", (4, 6, 5)),
        ("entry/counter0/other", (4, 6, 5)),
    ]
    assert f"stack: {tmp_path}/a.nxs::entry/counter0/data" in found.settings


def test_a_cube_and_spectra_are_told(tmp_path):
    path = tmp_path / "cube.zarr"
    cube.create_cube(path, np.linspace(7000, 7300, 6), (5, 4), 8, 1.0, "", maps=(), plain=np.dtype("f4"))
    assert gx.info(path).settings == f"cube:\n  path: {path}"
    np.savetxt(tmp_path / "goethite.txt", SPECTRUM)
    found = gx.info(tmp_path / "goethite.txt")
    assert [row.name for row in found.rows] == ["goethite"]
    assert found.settings == f"references:\n  path: {tmp_path}/goethite.txt"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "there is nothing"), (b"\0\1\2", "binary data"), (b"no numbers\n", "expected")],
)
def test_what_is_not_known_is_a_sentence(tmp_path, content, said):
    if content is not None:
        (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(InputError, match=said):
        gx.info(tmp_path / "a.bin")


def test_names_in_brackets_are_printed_whole(tmp_path):
    np.savetxt(tmp_path / "Fe[III] oxide.txt", SPECTRUM)
    said = CliRunner().invoke(app, ["info", str(tmp_path / "Fe[III] oxide.txt")]).stdout
    assert said.count("Fe[III] oxide") == 3


def test_what_it_has_read_can_be_opened_again_in_another_way(tmp_path):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["counts"] = np.ones((6, 4, 5), np.uint16)
    gx.info(tmp_path / "scan.h5")
    with h5py.File(tmp_path / "scan.h5", "a", locking=True) as file:
        assert "counts" in file
