import os
from pathlib import Path

import gigaxas as gx
import pytest
from gigaxas.checkpoint.identity import digest
from gigaxas.config.load import load_config
from gigaxas.config.schema import LEAST_SINTER, Ingest, NoiseSection
from gigaxas.simulate.scene import sinter_scene
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


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "found nothing, expected a mapping"),
        (b"# all of it is a comment\n", "found nothing, expected a mapping"),
        (b"- a\n- b\n", "found a list, expected a mapping"),
        (b"runs/mine", "found 'runs/mine', expected a mapping"),
        (b"1: 2\n", "1: keys should be strings"),
        (b"title: a\nsites: [1, 2", "line 2: not valid YAML"),
        (b"title: a: b", "line 1: not valid YAML"),
        (b"sites:\n\tlimit: 0.1", "line 2: .*indent with spaces"),
        (b"title: a\n---\ntitle: b", "line 2: .*another document"),
        (b"title: a\ntitle: b", "line 2: title is given twice"),
        (b"? [a, b]\n: c", "line 1: a list or a mapping stands for a key"),
        (b"title: &a b\noutput: *a", "line 2: aliases"),
        (b"title: !!timestamp x", "line 1: tags"),
        (b"title: !!python/object:os.system {}", "line 1: tags"),
        (b"title: 0b_", "not valid YAML"),
        (b"title: " + b"9" * 5000, "not valid YAML"),
        (b"[" * 5000, "not valid YAML"),
        (b"\0", "not valid YAML"),
        (b"output: a\ntitle: 5 \xb5m", "line 2: found bytes that are no text in UTF-8"),
        ("title: a".encode("utf-16"), "no text in UTF-8"),
        (b"\x89HDF\r\n\x1a\n\0\0", "no text in UTF-8"),
        (b" " * 2_000_000, "more than 1000000 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content, sentence):
    path = tmp_path / "run.yaml"
    path.write_bytes(content)
    with pytest.raises(gx.InputError, match=rf"run\.yaml: .*{sentence}"):
        load_config(path)


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda path: path.mkdir(), "found a folder, expected a file"),
        (lambda path: path.symlink_to("nowhere"), "there is no such file"),
        (lambda path: path.symlink_to(path), "cannot be read"),
        pytest.param(
            lambda path: path.touch(mode=0),
            "cannot be read",
            marks=pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything"),
        ),
    ],
)
def test_a_path_that_is_no_file_to_be_read_is_told(tmp_path, made, sentence):
    path = tmp_path / "run.yaml"
    made(path)
    with pytest.raises(gx.InputError, match=rf"run\.yaml: {sentence}"):
        load_config(path)


@pytest.mark.parametrize(
    ("mark", "text", "title"),
    [
        (b"\xef\xbb\xbf", "title: a", "a"),  # as Windows' editors begin a file
        (b"", "title: 5 \u00b5m, \u9244", "5 \u00b5m, \u9244"),
        (b"", "title: 2024-02-30", "2024-02-30"),
        (b"", "title: 'a: b'", "a: b"),
    ],
)
def test_text_is_taken_as_it_is_written(tmp_path, mark, text, title):
    path = tmp_path / "run.yaml"
    path.write_bytes(mark + (text + WHOLE).encode())
    assert load_config(path).title == title


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


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("title: ${GX_PLACE}/run", "there/run"),
        ("title: '${GX_PLACE}/run'", "there/run"),
        ("title: ${GX_PLACE:-here}", "there"),
        ("title: ${GX_NOWHERE:-here}/run", "here/run"),
        ("title: ${GX_EMPTY:-here}", "here"),
        ("title: ${GX_SIGNS}", "a: b #c"),  # what stands in a variable is no YAML
        ("title: a # ${GX_NOWHERE}", "a"),
        ("# ${GX_NOWHERE}\ntitle: a", "a"),
        ("title: $GX_PLACE", "$GX_PLACE"),
    ],
)
def test_environment_variables_stand_for_their_value_or_default(tmp_path, environment, written, title):
    assert load_config(write(tmp_path, f"{written}\n{WHOLE}")).title == title


def test_a_variable_in_a_list_on_one_line_has_the_type_that_it_looks_like(tmp_path, environment):
    text = WHOLE.replace("[128, 128]}", "[${GX_SIDE}, 128], seed: ${GX_SEED:-7}}")
    simulate = load_config(write(tmp_path, text)).simulate
    assert (simulate.shape, simulate.seed) == ((256, 128), 7)


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("${GX_NOWHERE}", "GX_NOWHERE is not set"),
        ("'${GX_NOWHERE}'", "GX_NOWHERE is not set"),
        ("${GX_EMPTY}", "GX_EMPTY is not set"),
        ("${GX_PLACE", r"write \$\{NAME\}"),
        ("${GX PLACE}", r"write \$\{NAME\}"),
    ],
)
def test_a_variable_without_a_value_is_refused_with_its_line(tmp_path, environment, written, sentence):
    with pytest.raises(gx.InputError, match=rf"run\.yaml: line 2: .*{sentence}"):
        load_config(write(tmp_path, f"# ${{GX_NOWHERE}}\ntitle: {written}{WHOLE}"))


@pytest.fixture
def environment(monkeypatch):
    """Variables for a configuration."""
    monkeypatch.delenv("GX_NOWHERE", raising=False)
    for name, value in {"PLACE": "there", "SIDE": "256", "SIGNS": "a: b #c", "EMPTY": ""}.items():
        monkeypatch.setenv(f"GX_{name}", value)


MEASURED = "output: out\ncube: {path: a.zarr}\nreferences: {path: r}\n"
STACK = "output: out\ningest: {stack: a.tif}\nreferences: {path: r}\n"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (WHOLE.replace("output: out", "output: ~/a b"), "output"),
        (f"{MEASURED}result: ~/a b", "result"),
        (f"{MEASURED}sites: {{file: ~/a b}}", "sites.file"),
        (f"{MEASURED}phases: {{decisions: ~/a b}}", "phases.decisions"),
        (f"{MEASURED}noise: {{frames: ~/a b}}", "noise.frames"),
        (MEASURED.replace("a.zarr", "~/a b"), "cube.path"),
        (MEASURED.replace("a.zarr", "a.zarr, mask: ~/a b"), "cube.mask"),
        (MEASURED.replace("path: r", "path: ~/a b"), "references.path"),
        (STACK.replace("a.tif", "~/a b"), "ingest.stack"),
        (STACK.replace("a.tif", "a.tif, mask: ~/a b"), "ingest.mask"),
        (STACK.replace("a.tif", "a.tif, energies: ~/a b"), "ingest.energies"),
        (STACK.replace("a.tif", "a.tif, quantity: counts, i0: ~/a b"), "ingest.i0"),
        (
            STACK.replace("stack: a.tif", "fields: {transmitted: ~/a b, reference: r}"),
            "ingest.fields.transmitted",
        ),
        (
            STACK.replace("stack: a.tif", "fields: {transmitted: t, reference: r, positions: ~/a b}"),
            "ingest.fields.positions",
        ),
    ],
)
@pytest.mark.parametrize("tail", ["", "/{index}.tif", "/*.h5::/entry/data"])
def test_a_path_may_start_at_the_home_of_the_user(tmp_path, monkeypatch, text, key, tail):
    monkeypatch.setenv("HOME", str(tmp_path))
    found = load_config(write(tmp_path, text.replace("~/a b", f'"~/a b{tail}"')))
    for name in key.split("."):
        found = getattr(found, name)
    assert str(found) == f"{tmp_path}/a b{tail}"


def test_a_tilde_that_begins_no_path_stays_and_an_unknown_home_is_told(tmp_path):
    config = load_config(write(tmp_path, f"{MEASURED}noise: {{note: ~5 nm / pixel}}\ntitle: ~5\n"))
    assert (config.noise.note, config.title) == ("~5 nm / pixel", "~5")
    with pytest.raises(gx.InputError, match=r"output: the home that `~` stands for is not known"):
        load_config(write(tmp_path, MEASURED.replace("output: out", "output: ~nobody-of-this-name/out")))


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        (f"{MEASURED}noise:\nsites:\n", ["sites", "noise"]),
        ("output: out\nreferences: {modelled: true}\nsimulate:\n", ["simulate"]),
        (MEASURED.replace("a.zarr", "a.zarr, energy_shift: "), ["cube.energy_shift"]),
        (STACK.replace("stack: a.tif", "fields: {transmitted: t, reference: }"), ["ingest.fields.reference"]),
        (f"{MEASURED}clean_up: {{p_num: }}\n", ["clean_up.p_num"]),
    ],
)
def test_an_empty_section_is_told(tmp_path, text, sections):
    with pytest.raises(gx.InputError) as told:
        load_config(write(tmp_path, text))
    for section in sections:
        assert f"run.yaml: {section}: empty; " in str(told.value)


def test_a_key_left_empty_that_may_be_left_out_is_left_out(tmp_path):
    text = f"{MEASURED}edge:\nresult:\nsimulate: null\nnoise: ~\ncompute: {{workers: }}\n"
    config = load_config(write(tmp_path, text))
    assert (config.edge, config.result, config.compute.workers) == (None, None, None)


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "1e999", "[.nan, 1]", "{a: .inf}", "ten"])
@pytest.mark.parametrize(
    "key",
    ["noise: {b", "void: {least_sum", "references: {path: r, pre_edge", "references: {path: r, shifts"],
)
def test_what_is_no_finite_number_is_refused(tmp_path, key, value):
    text = "\n".join(line for line in MEASURED.splitlines() if not line.startswith(key.partition(":")[0]))
    with pytest.raises(gx.InputError, match=r"run\.yaml: "):
        load_config(write(tmp_path, f"{text}\n{key}: {value}}}\n"))


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


def test_a_sinter_without_room_for_its_rims_is_refused_before_it_is_drawn(tmp_path):
    small = WHOLE.replace("shape: [128, 128]", f"shape: [512, {LEAST_SINTER - 1}]")
    with pytest.raises(gx.InputError, match="simulate: a sinter of 512 x 127 pixels has no room"):
        load_config(write(tmp_path, small))
    with pytest.raises(gx.InputError, match="too small"):
        sinter_scene((512, LEAST_SINTER - 1))
    assert sinter_scene((LEAST_SINTER, LEAST_SINTER)).phase.shape == (LEAST_SINTER, LEAST_SINTER)
