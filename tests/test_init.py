"""`gigaxas init` writes a configuration that reads the files it was given, and asks for the rest."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from gigaxas.cli import questions
from gigaxas.cli.verbs import app
from gigaxas.config.load import load_config
from gigaxas.errors import InputError
from gigaxas.raw.readers.roles import numbered, role_of
from gigaxas.raw.readers.stack import describe_stack
from gigaxas.workflow.init import configuration
from gigaxas.workflow.proposal import Proposal
from gigaxas.workflow.resolve import resolve
from image_files import TELLING
from raw_files import ENERGY as FIELD_ENERGY
from raw_files import counts, field_mu, texture, write_fields
from small_runs import edges, scene, write_csv, write_cube
from typer.testing import CliRunner

ENERGY = np.linspace(7010, 7320, 40)
SHAPE = (len(ENERGY), 12, 14)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder in which the command runs, with references beside it."""
    write_csv(tmp_path / "iron.csv", edges(3, np.random.default_rng(3)))
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def transmitted(kind="uint16"):
    edge = 1 / (1 + np.exp(-(ENERGY - 7125) / 3))
    return (2000 * np.exp(-edge[:, None, None] * np.ones(SHAPE))).astype(kind)


def init(*words, status=0):
    done = CliRunner().invoke(app, ["init", *map(str, words)])
    if status == 0 and done.exception:
        raise done.exception
    return done.stdout


def taken(path="mine.yaml"):
    """What `gigaxas check` takes without an error."""
    return resolve(load_config(path)).config


def hdf5(path, array="counts", **lists):
    with h5py.File(path, "w") as file:
        file[array] = transmitted()
        for name, values in lists.items():
            file[name] = values


def test_a_file_of_counts_with_its_open_beam_is_read_as_such(folder):
    hdf5("data/scan.h5", energy=ENERGY, i0=np.full(len(ENERGY), 2000.0))
    said = init("data/scan.h5", "--references", "iron.csv")
    assert "wrote scan.yaml" in said
    assert "gigaxas check scan.yaml" in said
    config = taken("scan.yaml")
    assert config.title == "scan"
    assert config.output == folder / "runs/scan"
    assert (config.ingest.quantity, config.ingest.i0) == ("counts", f"{folder}/data/scan.h5::i0")
    assert config.references.path == folder / "iron.csv"
    assert config.compute.cluster == "threads"
    text = Path("scan.yaml").read_text()
    assert "stack: data/scan.h5\n" in text
    assert "# The energies reach over Fe K" in text
    assert "# 3 spectra: phase 1, phase 2, phase 3." in text


def test_arrays_of_one_file_are_told_by_their_names(folder):
    hdf5("data/a.h5", "entry/data_sample", energies=ENERGY)
    with h5py.File("data/a.h5", "a") as file:
        file["entry/white"], file["entry/dark"] = transmitted(), np.zeros((3, *SHAPE[1:]), "u2")
    init("data/a.h5", "--to", "mine.yaml")
    ingest = taken().ingest
    assert ingest.stack == f"{folder}/data/a.h5::entry/data_sample"
    assert ingest.energies == f"{folder}/data/a.h5::energies"
    assert (ingest.i0, ingest.dark) == (f"{folder}/data/a.h5::entry/white", f"{folder}/data/a.h5::entry/dark")


def test_a_tiff_stack_takes_the_list_of_energies_beside_it(folder):
    tifffile.imwrite("data/stack.tif", transmitted("float32"), photometric="minisblack")
    with pytest.raises(InputError, match="--energies: missing; give the energies of the images"):
        init("data/stack.tif", "--to", "mine.yaml")
    np.savetxt("listed.txt", ENERGY)
    init("data/stack.tif", "--to", "mine.yaml", "--energies", "listed.txt")
    assert taken().ingest.energies == f"{folder}/listed.txt"


@pytest.mark.parametrize("name", ["map_{:.1f}.tif", "a7_{:.0f}eV.tif"])
def test_a_folder_of_images_is_read_by_the_energies_in_their_names(folder, name):
    for energy, image in zip(ENERGY, transmitted(), strict=True):
        tifffile.imwrite(f"data/{name.format(energy)}", image)
    init("data", "--references", "iron.csv", "--to", "mine.yaml")
    config = taken()
    assert "{energy}" in config.ingest.stack
    assert config.ingest.quantity == "intensity"
    found = describe_stack(config.ingest)
    np.testing.assert_allclose(found.energy, ENERGY, atol=0.51)


def test_images_with_other_endings_are_left_out_with_a_word(folder):
    for number, (energy, image) in enumerate(zip(ENERGY, transmitted(), strict=True)):
        tifffile.imwrite(f"data/map_{energy:.1f}.{'tiff' if number < 2 else 'tif'}", image)
    init("data", "--to", "mine.yaml")
    left_out = f"; 2 files of images with other endings left out, as map_{ENERGY[0]:.1f}.tiff"
    told = (folder / "mine.yaml").read_text().replace("\n# ", " ")
    assert left_out in told


def test_images_that_are_counted_take_their_energies_from_the_file_beside_them(folder):
    for number, image in enumerate(transmitted()):
        tifffile.imwrite(f"data/a_{number:03}.tif", image)
    np.savetxt("energies.txt", ENERGY)
    np.savetxt("data/i0.txt", np.column_stack([ENERGY, np.full(len(ENERGY), 2000.0)]))
    init("data/a_{index}.tif", "--to", "mine.yaml")
    ingest = taken().ingest
    assert (ingest.energies, ingest.i0) == (f"{folder}/energies.txt", f"{folder}/data/i0.txt")


@pytest.mark.parametrize("positions", ["table", "numbers"])
def test_a_folder_of_raw_fields_is_read_with_its_positions(folder, positions):
    amount = texture((40, 70))
    rng = np.random.default_rng(0)
    fields = {f"f{i}": counts(field_mu(amount[:, 30 * i : 30 * i + 40]), rng) for i in range(2)}
    stage = {"f0": (0.0, 0.0), "f1": (0.0, 13.8)}
    write_fields(folder / "data", fields, stage)
    if positions == "numbers":
        (folder / "data/positions.csv").unlink()
        for name, (y, x) in stage.items():
            with h5py.File(folder / f"data/{name}.h5", "a") as file:
                for axis, value in (("y", y), ("x", x)):
                    file.create_dataset(f"stage/{axis}", data=value).attrs["units"] = "um"
    init("data", "--to", "mine.yaml", "--edge", "Fe K")
    config = taken()
    found = config.ingest.fields
    assert found.transmitted == f"{folder}/data/{{field}}.h5::data/sample"
    assert found.reference == f"{folder}/data/{{field}}.h5::data/open"
    assert found.dark == f"{folder}/data/{{field}}.h5::data/dark"
    assert config.edge == "Fe K"
    assert len(FIELD_ENERGY) == len(resolve(config).energy)


def test_raw_fields_without_positions_ask_for_them(folder):
    mu = field_mu(texture((12, 12)))
    write_fields(
        folder / "data",
        {"a": counts(mu, np.random.default_rng(0))} | {"b": counts(mu, np.random.default_rng(1))},
        {},
    )
    (folder / "data/positions.csv").unlink()
    with pytest.raises(InputError, match="--positions: missing; give the stage positions"):
        init("data")


def test_a_cube_is_read_as_one(folder):
    rng = np.random.default_rng(2)
    write_cube(folder / "data/c.zarr", scene(rng, edges(3, rng), (60, 70)), [16], [16])
    init("data/c.zarr", "--references", "iron.csv", "--to", "mine.yaml")
    assert taken().cube.path == folder / "data/c.zarr"


@pytest.mark.parametrize("name", sorted(TELLING))
def test_every_format_that_tells_its_energies_needs_no_answer(folder, name):
    ending, write = TELLING[name]
    write(folder / ending)
    init(ending, "--to", "mine.yaml")
    assert describe_stack(load_config("mine.yaml").ingest).stack.shape == (4, 6, 5)


@pytest.mark.parametrize(
    ("samples", "cluster"), [(20_000_000, "threads"), (20_000_001, "local"), (0, "local")]
)
def test_a_large_image_gets_worker_processes(tmp_path, samples, cluster):
    found = Proposal("cube", "A cube", {"path": "c.zarr"}, samples=samples)
    written = tmp_path / "a.yaml"
    written.write_text(configuration(written, found, None))
    assert load_config(written).compute.cluster == cluster


def test_what_is_asked_on_a_terminal_is_taken(folder, monkeypatch):
    tifffile.imwrite("data/stack.tif", transmitted(), photometric="minisblack")
    np.savetxt("listed.txt", ENERGY)
    answers = iter(["data/stack.tif", "iron.csv", "listed.txt", "counts", "2000"])
    asked = []
    monkeypatch.setattr(questions, "can_ask", lambda: True)
    monkeypatch.setattr(
        questions.typer, "prompt", lambda text, default=None: asked.append((text, default)) or next(answers)
    )
    init("--to", "mine.yaml")
    ingest = taken().ingest
    assert (ingest.quantity, ingest.i0, ingest.energies) == ("counts", 2000.0, f"{folder}/listed.txt")
    assert [text.split()[0] for text, _ in asked] == ["images", "reference", "energies", "what", "counts"]
    assert [default for _, default in asked] == [None, "", None, "intensity", None]


def test_a_file_that_is_there_is_replaced_only_when_asked(folder):
    hdf5("data/scan.h5", energy=ENERGY)
    Path("scan.yaml").write_text("mine")
    with pytest.raises(InputError, match="there is a file already"):
        init("data/scan.h5")
    assert Path("scan.yaml").read_text() == "mine"
    init("data/scan.h5", "--force", "--title", "x: y")
    assert taken("scan.yaml").title == "x: y"


def test_paths_start_at_the_folder_of_the_configuration(folder):
    hdf5("data/scan.h5", energy=ENERGY)
    (folder / "configs").mkdir()
    (folder / "sub").mkdir()
    init("data/scan.h5", "--to", "configs/a.yaml")
    assert "stack: data/scan.h5\n" in Path("configs/a.yaml").read_text()
    init("data/scan.h5", "--to", "sub/b.yaml")
    assert f"stack: {folder}/data/scan.h5\n" in Path("sub/b.yaml").read_text()
    assert taken("sub/b.yaml").output == folder / "sub/runs/b"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "IMAGE: missing"),
        (("nothing.h5",), "there is nothing"),
        (("iron.csv",), "go with --references"),
        (("data/scan.h5", "--references", "data/scan.h5"), "no reference spectra|expected"),
        (("data/scan.h5", "--quantity", "light"), "--quantity: found 'light', expected one of counts"),
        (("data/scan.h5", "--edge", "Qq K"), "names no edge"),
        (("data/scan.h5", "--quantity", "counts"), "--i0: missing"),
    ],
)
def test_what_cannot_be_is_a_sentence(folder, words, said):
    hdf5("data/scan.h5", energy=ENERGY)
    with pytest.raises(InputError, match=said):
        init(*words)
    assert not list(folder.glob("*.yaml"))


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("entry/data/reference", "open"),
        ("exchange/data_white", "open"),
        ("I0", "open"),
        ("open/counts", "sample"),
        ("preferred", "sample"),
        ("dark_1", "dark"),
    ],
)
def test_roles_are_whole_words_of_the_last_name(name, role):
    assert role_of(name) == role


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["a_1.tif", "a_2.tif", "a_10.tif"], "a_{index}.tif"),
        (["s3_7100.tif", "s3_7110.tif", "s3_7120.tif"], "s3_{energy}.tif"),
        (["s3_71.5.tif", "s3_72.0.tif", "s3_73.1.tif"], "s3_{energy}.tif"),
        (["a_101.tif", "a_102.tif", "a_103.tif"], "a_{index}.tif"),
        (["a_1.tif", "a_2.tif"], None),
        (["a_1_1.tif", "a_1_2.tif", "a_2_1.tif"], None),
        (["a_1.tif", "b_2.tif", "c_3.tif"], None),
    ],
)
def test_numbered_files_are_told_by_the_number_that_differs(names, pattern):
    assert numbered(names) == pattern


@pytest.mark.real
def test_a_measured_scan_is_read_with_its_header_and_beam(stacks_folder, folder):
    data = stacks_folder.absolute() / "als_stxm_fe_l"
    said = init(data / "aligned", "--to", "mine.yaml", "--edge", "Fe L3")
    assert "123 energies from 700" in said
    config = taken()
    assert (Path(config.ingest.energies).name, Path(config.ingest.i0).name) == ("71214078.hdr", "i0.xsp")
    assert config.ingest.quantity == "counts"


@pytest.mark.real
@pytest.mark.parametrize("name", ["EELS_SI.dm4", "renishaw_test_map2.wdf"])
def test_measured_files_of_instruments_are_read(stacks_folder, folder, name):
    pytest.importorskip("rsciio")
    init(stacks_folder.absolute() / "formats" / name, "--to", "mine.yaml")
    assert len(describe_stack(load_config("mine.yaml").ingest).energy) > 100
