"""Where the paths of a configuration lead: from its folder, from above a folder `configs`, or as given."""

from pathlib import Path

import pytest
from gigaxas.config.load import folder_of, load_config
from gigaxas.config.paths import paths_of, read_from
from gigaxas.config.schema import Config
from gigaxas.locations import Url, shown

STACK = """
output: runs/out
result: runs/maps.zarr
sites: {file: s.csv}
references: {path: library}
noise: {frames: "frames.h5::counts"}
phases: {decisions: decided.yaml}
ingest:
  stack: "scan/{energy}.tif"
  energies: e.txt
  quantity: counts
  i0: beam.h5::i0
  dark: dark.tif
  mask: drawn.png
  exposures: {sample: "t.h5::sample", i0: "t.h5::open"}
"""
FIELDS = """
output: runs/out
references: {modelled: true}
ingest:
  energies: [7000, 7100, 7200]
  fields:
    transmitted: "{field}.h5::data/t"
    reference: {mask: open.png}
    dark: "{field}.h5::data/dark"
    positions: {y: "{field}.h5::y", x: "{field}.h5::x"}
    energy_shift: {foil: foil.h5, foil_reference: no-foil.h5}
"""
CUBE = "output: runs/out\nreferences: {path: library}\ncube: {path: PATH, mask: MASK}\n"


def loaded(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def at(config, key):
    for name in key.split("."):
        config = getattr(config, name)
    return config


@pytest.mark.parametrize(
    ("text", "key", "given"),
    [
        *(
            (STACK, key, given)
            for key, given in [
                ("output", "runs/out"),
                ("result", "runs/maps.zarr"),
                ("sites.file", "s.csv"),
                ("references.path", "library"),
                ("noise.frames", "frames.h5::counts"),
                ("phases.decisions", "decided.yaml"),
                ("ingest.stack", "scan/{energy}.tif"),
                ("ingest.energies", "e.txt"),
                ("ingest.i0", "beam.h5::i0"),
                ("ingest.dark", "dark.tif"),
                ("ingest.mask", "drawn.png"),
                ("ingest.exposures.sample", "t.h5::sample"),
                ("ingest.exposures.i0", "t.h5::open"),
            ]
        ),
        *(
            (FIELDS, f"ingest.fields.{key}", given)
            for key, given in [
                ("transmitted", "{field}.h5::data/t"),
                ("reference.mask", "open.png"),
                ("dark", "{field}.h5::data/dark"),
                ("positions.y", "{field}.h5::y"),
                ("positions.x", "{field}.h5::x"),
                ("energy_shift.foil", "foil.h5"),
                ("energy_shift.foil_reference", "no-foil.h5"),
            ]
        ),
        (FIELDS.replace("{mask: open.png}", "r.h5"), "ingest.fields.reference", "r.h5"),
        (
            FIELDS.replace('{y: "{field}.h5::y", x: "{field}.h5::x"}', "p.csv"),
            "ingest.fields.positions",
            "p.csv",
        ),
        (CUBE.replace("PATH", "c.zarr"), "cube.path", "c.zarr"),
    ],
)
def test_every_path_starts_at_the_folder_of_the_configuration(tmp_path, monkeypatch, text, key, given):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert str(at(loaded(tmp_path / "mine" / "x.yaml", text), key)) == f"{tmp_path}/mine/{given}"
    assert str(at(loaded(tmp_path / "configs" / "x.yaml", text), key)) == f"{tmp_path}/{given}"


def test_the_folder_of_a_configuration_is_known_wherever_the_command_runs(tmp_path, monkeypatch):
    folder = tmp_path / "project" / "configs"
    folder.mkdir(parents=True)
    text = CUBE.replace("PATH", "c.zarr")
    known = loaded(folder / "x.yaml", text)
    for start in (tmp_path, folder.parent, folder):
        monkeypatch.chdir(start)
        assert (
            load_config(Path("../" * len(start.relative_to(tmp_path).parts)) / "project/configs/x.yaml")
            == known
        )
    assert load_config("x.yaml") == known
    assert known.output == folder.parent / "runs/out"
    (tmp_path / "link").symlink_to(folder)
    assert folder_of(tmp_path / "link" / "x.yaml") == tmp_path / "link"


@pytest.mark.parametrize("given", ["/data/c.zarr", "~/c.zarr"])
def test_a_path_that_says_where_it_starts_stays(tmp_path, monkeypatch, given):
    monkeypatch.setenv("HOME", "/home/somebody")
    config = loaded(tmp_path / "x.yaml", CUBE.replace("PATH", given))
    assert config.cube.path == Path(given.replace("~", "/home/somebody"))


def test_an_address_and_words_that_are_no_paths_stay(tmp_path):
    config = loaded(tmp_path / "x.yaml", CUBE.replace("PATH", "s3://bucket/c.zarr"))
    assert config.cube.path == Url("s3://bucket/c.zarr")
    told = FIELDS.replace('{y: "{field}.h5::y", x: "{field}.h5::x"}', "metadata")
    assert loaded(tmp_path / "x.yaml", told).ingest.fields.positions == "metadata"
    assert (
        loaded(tmp_path / "x.yaml", told.replace('"{field}.h5::data/dark"', "12.5")).ingest.fields.dark
        == 12.5
    )
    select = CUBE.replace("PATH", "c").replace("{path: library}", "{path: library, select: [a/b]}")
    assert loaded(tmp_path / "x.yaml", f"title: a/b\n{select}").references.select == ("a/b",)


@pytest.mark.parametrize(
    ("mask", "is_file"),
    [("mask", False), ("maps/mask", False), ("m.tif", True), ("m.h5::used", True), ("drawn", True)],
)
def test_a_mask_that_can_be_no_file_is_a_map_of_the_cube(tmp_path, mask, is_file):
    (tmp_path / "drawn").touch()
    config = loaded(tmp_path / "x.yaml", CUBE.replace("PATH", "c.zarr").replace("MASK", mask))
    assert config.cube.mask == (f"{tmp_path}/{mask}" if is_file else mask)


def test_settings_without_a_file_start_where_the_command_runs():
    config = Config.model_validate(
        {"title": "t", "output": "out", "references": {"modelled": True}, "simulate": {}}
    )
    assert config.output == Path("out")
    assert paths_of(config).cube == Path("out/cube.zarr")


def test_what_a_run_reads_is_listed_by_its_keys(tmp_path):
    config = loaded(tmp_path / "x.yaml", STACK)
    found = read_from(config)
    assert set(found) == {
        "ingest.stack", "ingest.i0", "ingest.dark", "ingest.mask", "ingest.energies", "references.path",
        "sites.file", "noise.frames",
    }  # fmt: skip
    assert found["ingest.i0"] == f"{tmp_path}/beam.h5::i0"
    assert read_from(loaded(tmp_path / "x.yaml", FIELDS)).keys() == {
        "ingest.fields.transmitted",
        "ingest.fields.dark",
    }


def test_paths_are_shown_from_here_where_they_lie_below(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "runs/x") == "runs/x"
    assert shown(f"{tmp_path}/a.h5::entry") == "a.h5::entry"
    assert shown(tmp_path.parent / "x") == f"{tmp_path.parent}/x"
    assert shown(tmp_path / "../x") == f"{tmp_path.parent}/x"
    assert shown(Url("s3://b/c.zarr")) == "s3://b/c.zarr"
