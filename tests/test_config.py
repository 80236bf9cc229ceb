from pathlib import Path

import gigaxas as gx
import pytest
from gigaxas.checkpoint.identity import digest
from gigaxas.config.load import load_config
from gigaxas.config.schema import Ingest, NoiseSection
from hypothesis import given
from hypothesis import strategies as st

WHOLE = """
output: out
simulate: {scene: sinter, shape: [128, 128]}
references: {modelled: true}
"""
CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


def write(folder, text):
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_configuration_that_comes_along_is_valid(path):
    assert gx.load_config(path).title


def test_what_is_left_out_has_the_published_values(tmp_path):
    config = load_config(write(tmp_path, WHOLE))
    assert config.title == "run"
    assert (config.clean_up.k_size, config.clean_up.p_num, config.clean_up.fill_void) == (5, 23, False)
    assert (config.sites.accept, config.sites.limit) == (0.01, 1e-4)
    assert (config.noise.c_ref, config.noise.mu_low, config.noise.mu_high) == (2.7e4, 0.36, 1.56)
    assert (config.noise.a, config.noise.b) == (9.3131, 63.003)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("colour: red", "colour: unknown key"),
        ("sites: {trails: 5}", "sites.trails: unknown key"),
        ("sites: {limit: 0.7}", "sites.limit: input should be less than 0.5 (found 0.7)"),
        ("clean_up: {p_num: 12}", "p_num is 12 with k_size 5; expected 22, 23, 24, 25"),
        ("clean_up: {k_size: 4}", "k_size is 4; expected an odd number"),
        ("noise: {mu_high: 0.2}", "mu_high = 0.2 is not above mu_low = 0.36"),
        ("noise: {c_ref: 5}", "below the camera's lowest count of 6.765"),
        ("compute: {memory: plenty}", "compute.memory"),
        ("cube: {path: a.zarr}", "give either `cube`"),
        ("title: [1, 2]", "title"),
    ],
)
def test_an_error_names_its_place_and_what_was_found(tmp_path, more, sentence):
    with pytest.raises(gx.InputError) as told:
        load_config(write(tmp_path, WHOLE + more))
    assert sentence in str(told.value)


def test_all_errors_are_told_at_once(tmp_path):
    text = "output: out\nreferences: {}\nsites: {limit: 2, method: best}\ncompute: {workers: 0}\n"
    with pytest.raises(gx.InputError) as told:
        load_config(write(tmp_path, text))
    lines = str(told.value).splitlines()
    assert len(lines) == 4
    for place in ("references", "sites.limit", "sites.method", "compute.workers"):
        assert any(f": {place}: " in line for line in lines)


def test_what_only_files_of_references_have_is_refused_for_the_modelled_ones(tmp_path):
    text = WHOLE.replace("modelled: true", "modelled: true, select: [wustite]")
    assert text != WHOLE
    with pytest.raises(gx.InputError, match="select go with files in `path`"):
        load_config(write(tmp_path, text))


@pytest.mark.parametrize("text", ["- a\n- b\n", "", "a: [1, 2", "1: 2\n", "\x00"])
def test_a_file_that_is_no_configuration_is_refused(tmp_path, text):
    with pytest.raises(gx.InputError, match=r"run\.yaml"):
        load_config(write(tmp_path, text))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(gx.InputError, match="no such file"):
        load_config(tmp_path / "none.yaml")


@given(st.text(max_size=60))
def test_any_text_is_a_configuration_or_an_input_error(text):
    with pytest.raises(gx.InputError):
        load_config_text(text)


def load_config_text(text):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        return load_config(path)


def test_environment_variables_stand_for_their_value_or_default(tmp_path, monkeypatch):
    text = WHOLE.replace("output: out", "output: ${GIGAXAS_PLACE:-here}/run")
    assert load_config(write(tmp_path, text)).output == Path("here/run")
    monkeypatch.setenv("GIGAXAS_PLACE", "there")
    assert load_config(write(tmp_path, text)).output == Path("there/run")
    with pytest.raises(gx.InputError, match="GIGAXAS_NOWHERE is not set"):
        load_config(write(tmp_path, WHOLE + "title: ${GIGAXAS_NOWHERE}\n"))


@pytest.mark.parametrize(
    "noise",
    [
        {},
        {"model": "measured"},
        {"c_ref": 3e6},
        {"working_point": "cube", "c_ref": 3e6},
        {"frames": "f.h5"},
        {"sigma": 0.1},
        {"model": "counts"},
        {"gain": 2.0},
    ],
)
def test_noise_written_out_is_the_same_when_read_back(noise):
    first = NoiseSection.model_validate(noise)
    again = NoiseSection.model_validate(first.model_dump(mode="json"))
    assert again == first
    assert (again.kind, again.is_given) == (first.kind, first.is_given)


@pytest.mark.parametrize(
    "ingest",
    [
        {"fields": {"transmitted": "t", "reference": "r"}},
        {"stack": "s.tif", "quantity": "counts", "i0": 9.0, "normalise": "lines"},
    ],
)
def test_raw_data_written_out_are_the_same_when_read_back(ingest):
    first = Ingest.model_validate(ingest)
    assert Ingest.model_validate(first.model_dump(mode="json")) == first


def test_a_fingerprint_follows_the_settings(tmp_path):
    config = load_config(write(tmp_path, WHOLE))
    other = config.model_copy(update={"sites": config.sites.model_copy(update={"limit": 1e-3})})
    assert digest(config.sites) == digest(load_config(write(tmp_path, WHOLE)).sites)
    assert digest(config.sites) != digest(other.sites)
