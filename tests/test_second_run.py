"""A run of what is finished: it starts no process, makes nothing anew, and still finds what was damaged."""

import subprocess
import sys

import pytest
from gigaxas.config.schema import Config
from gigaxas.workflow import report_once
from gigaxas.workflow.classify import classify, report_again

LOCAL = {"cluster": "local", "workers": 1, "tile": 48, "dashboard": "127.0.0.1:0"}
UNUSED = ("distributed", "matplotlib", "xarray", "sqlalchemy", "pint")
WHAT_IS_LOADED = """
import sys
from gigaxas.config.schema import Config
from gigaxas.workflow.classify import classify
classify(Config.model_validate_json(sys.argv[1]), announce=print)
print(*sys.modules)
"""
PASSING = {"run.log", "events.jsonl", "run.lock"}


def settings(output):
    return Config.model_validate(
        {
            "title": "small",
            "output": output,
            "simulate": {"scene": "sinter", "shape": [128, 128], "chunk": 48, "seed": 3},
            "references": {"modelled": True},
            "sites": {"mixtures": "none", "method": "net"},
            "compute": LOCAL | {"cluster": "threads", "workers": 2},
        }
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A run and what it told."""
    config = settings(tmp_path_factory.mktemp("second") / "out")
    return config, classify(config)


@pytest.fixture
def run(first):
    """The same, finished again whatever the last test has made of it."""
    classify(first[0])
    return first


def stamps(config):
    """File -> when it was written, but for the log and the lock."""
    files = (path for path in config.output.rglob("*") if path.is_file() and path.name not in PASSING)
    return {path.relative_to(config.output).as_posix(): path.stat().st_mtime_ns for path in files}


def shown(summary):
    clusters = [(row.label, row.title, row.pixels, row.share, row.area_um2) for row in summary.clusters]
    return clusters, summary.truth, summary.void, summary.paths, summary.specks, summary.inexact


def test_a_second_run_writes_no_file_and_tells_the_same(run):
    config, first = run
    before = stamps(config)
    assert shown(classify(config)) == shown(first)
    assert stamps(config) == before


def test_a_second_run_starts_no_process_and_loads_neither_cluster_nor_what_draws(run):
    config, _ = run
    local = config.model_dump(mode="json", by_alias=True) | {"compute": LOCAL}
    classify(Config.model_validate(local))
    text = Config.model_validate(local).model_dump_json(by_alias=True)
    said = subprocess.run(
        [sys.executable, "-c", WHAT_IS_LOADED, text], capture_output=True, text=True, check=True
    )
    assert not {*UNUSED} & {*said.stdout.splitlines()[-1].split()}
    assert "dashboard" not in said.stdout


@pytest.mark.parametrize(("file", "damage"), [("clusters.csv", "gone"), ("report/scene.js", "changed")])
def test_a_file_of_the_report_that_is_not_as_it_was_written_is_written_again(run, file, damage):
    config, first = run
    path = config.output / file
    good = path.read_bytes()
    path.unlink() if damage == "gone" else path.write_bytes(good[:-9] + b"123456789")
    assert shown(classify(config)) == shown(first)
    assert path.read_bytes() == good


def test_tiles_that_are_gone_are_drawn_again(run):
    config, _ = run
    (config.output / "report" / "tiles" / "made.json").unlink()
    classify(config)
    assert (config.output / "report" / "tiles" / "made.json").is_file()


def test_a_changed_setting_has_the_report_written_anew(run):
    config, _ = run
    before = (config.output / "manifest.json").read_bytes()
    more = config.model_copy(update={"compute": config.compute.model_copy(update={"workers": 1})})
    classify(more)
    assert (config.output / "manifest.json").read_bytes() != before


def test_other_code_or_another_package_has_the_report_written_anew(run, monkeypatch):
    config, _ = run
    before = stamps(config)["report.html"]
    with monkeypatch.context() as patched:
        patched.setattr(report_once, "versions", lambda: {"numpy": "0"})
        classify(config)
    assert stamps(config)["report.html"] != before
    before = stamps(config)["report.html"]
    with monkeypatch.context() as patched:
        patched.setattr(report_once, "code_version", lambda: "another")
        classify(config)
    assert stamps(config)["report.html"] != before


def test_a_damaged_note_is_not_trusted(run):
    config, first = run
    note = config.output / "journal" / "report"
    note.write_bytes(note.read_bytes()[:-3] + b"123")
    before = stamps(config)["report.html"]
    assert shown(classify(config)) == shown(first)
    assert stamps(config)["report.html"] != before


def test_the_verb_report_writes_it_anew_whatever_is_there(run):
    config, _ = run
    before = stamps(config)["report.html"]
    report_again(config)
    assert stamps(config)["report.html"] != before
