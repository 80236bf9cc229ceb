"""Four measured spectra that everybody can have: fetched by pip, a library, an image made of them."""

import io
import tarfile
from pathlib import Path

import measured_spectra
import pytest
import yaml
from gigaxas.config.load import load_config
from gigaxas.workflow.classify import classify
from gigaxas.workflow.coverage import cover

NAMES = {"Fe_Foil", "FeIISO4_20K", "Ferrihydrite_20K", "Goethite_20K"}
CONFIG = Path(__file__).parents[1] / "configs" / "measured.yaml"


def test_the_database_alone_is_taken_out_of_the_archive(tmp_path):
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        for name, content in ((measured_spectra.INSIDE, b"spectra"), ("../escape.py", b"code")):
            told = tarfile.TarInfo(name)
            told.size = len(content)
            file.addfile(told, io.BytesIO(content))
    path = measured_spectra.unpack(archive, tmp_path / "out")
    assert path.read_bytes() == b"spectra"
    assert {each.name for each in (tmp_path / "out").iterdir()} == {"Fe_database.h5", "SOURCE.txt"}
    assert measured_spectra.SHA256 in (tmp_path / "out" / "SOURCE.txt").read_text()
    assert not (tmp_path / "escape.py").exists()


def test_what_is_there_is_not_fetched_again(tmp_path, monkeypatch, capsys):
    (tmp_path / "Fe_database.h5").touch()
    monkeypatch.setattr(measured_spectra, "fetch", lambda work: pytest.fail("fetched"))
    measured_spectra.main(tmp_path)
    assert capsys.readouterr().out == f"{tmp_path}/Fe_database.h5\n"


def test_what_pip_says_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(measured_spectra, "PACKAGE", "no-such-package-as-this")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SystemExit, match=r"pip could not get no-such-package-as-this 0\.1\.11:\n.*ERROR"):
        measured_spectra.main(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.real
def test_the_spectra_are_a_library_of_the_iron_edge(measured_spectra_folder):
    found = cover(measured_spectra_folder)
    assert {row.name for row in found.rows} == NAMES
    assert {row.status for row in found.rows} == {"fits"}
    assert {row.edge for row in found.rows} == {"Fe K"}
    near = {row.name: row.nearest for row in found.rows}
    assert near["Goethite_20K"] == "Ferrihydrite_20K"
    assert near["Ferrihydrite_20K"] == "Goethite_20K"


@pytest.mark.real
def test_the_image_made_of_them_is_mapped_as_it_was_made(measured_spectra_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("GIGAXAS_MEASURED", str(measured_spectra_folder.absolute()))
    settings = yaml.safe_load(CONFIG.read_text())
    settings["simulate"] |= {"shape": [64, 64], "chunk": 64}
    settings |= {"output": "out", "compute": {"cluster": "threads"}}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(settings))
    summary = classify(load_config(path))
    assert [(row.name, row.pixels) for row in summary.clusters] == [
        ("Goethite_20K", 64 * 64 - 144),
        ("FeIISO4_20K", 144),
    ]
