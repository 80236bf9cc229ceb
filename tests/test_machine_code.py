"""Machine code belongs to a version of the whole code: what was compiled of other code is never run."""

import importlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import gigaxas
import pytest
from gigaxas import machine_code
from gigaxas.version import code_version

VARIABLE = "NUMBA_CACHE_DIR"
OWN = Path("gigaxas", "numba", code_version())
CALLEE = "from numba import njit\n\n\n@njit(cache=True)\ndef smaller(a, b):\n    return {body}\n"
CALLER = """
from numba import njit
from gigaxas.callee import smaller


@njit(cache=True)
def smallest(values):
    least = values[0]
    for value in values[1:]:
        least = smaller(least, value)
    return least
"""
ASK = """
import gigaxas
{before}
from gigaxas.caller import smallest
import numpy as np
print(gigaxas.__file__, smallest(np.array([3, 1, 2])), sum(smallest.stats.cache_hits.values()))
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the package with a kernel that calls another one in another file."""
    skip = shutil.ignore_patterns("__pycache__", "vendor", "template")
    copy = shutil.copytree(Path(gigaxas.__file__).parent, tmp_path / "code" / "gigaxas", ignore=skip)
    (copy / "caller.py").write_text(CALLER)
    (copy / "callee.py").write_text(CALLEE.format(body="min(a, b)"))
    return copy


def answer(package, before=""):
    """What the kernel of a package gives in a process of its own, and whether its machine code was there."""
    env = os.environ | {"PYTHONPATH": str(package.parent), VARIABLE: str(package.parents[1] / "cache")}
    command = [sys.executable, "-c", ASK.format(before=before)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    file, value, hits = done.stdout.split()
    assert Path(file).parent == package
    return int(value), int(hits)


def test_an_edited_callee_in_another_file_is_compiled_into_its_caller(package):
    assert answer(package) == (1, 0)
    (package / "callee.py").write_text(CALLEE.format(body="max(a, b)"))
    assert answer(package) == (3, 0)


def test_without_a_folder_for_each_version_the_old_callee_goes_on_running(package):
    one_for_all = f"import numba; numba.config.CACHE_DIR = {str(package.parents[1] / 'one')!r}"
    assert answer(package, one_for_all) == (1, 0)
    (package / "callee.py").write_text(CALLEE.format(body="max(a, b)"))
    assert answer(package, one_for_all) == (1, 1)


@pytest.fixture
def numba_config(monkeypatch):
    """Numba's settings and the environment, put back after the test."""
    config = importlib.import_module("numba.core.config")
    monkeypatch.setattr(config, "CACHE_DIR", config.CACHE_DIR)
    monkeypatch.setenv(VARIABLE, os.environ[VARIABLE])
    return config


def test_numba_is_told_in_the_environment_and_where_it_is_imported_already(
    tmp_path, monkeypatch, numba_config
):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    folder = machine_code.cache_by_version()
    assert folder == tmp_path / OWN
    assert os.environ[VARIABLE] == numba_config.CACHE_DIR == str(folder)


def test_a_child_keeps_the_folder_and_a_child_of_other_code_has_its_own_beside_it(
    tmp_path, monkeypatch, numba_config
):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    first = machine_code.cache_by_version()
    assert machine_code.cache_by_version() == first
    monkeypatch.setattr(machine_code, "code_version", lambda: "0123456789abcdef")
    assert machine_code.cache_by_version() == first.with_name("0123456789abcdef")


def test_the_folder_is_that_of_the_user_else_that_for_caches_else_a_temporary_one(
    tmp_path, monkeypatch, numba_config
):
    """A file where the folder should be stands for a disk that cannot be written: root may write anywhere."""
    for name in ("given", "cache", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(machine_code, "user_cache_path", lambda: tmp_path / "cache")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    private = tmp_path / "tmp" / f"gigaxas-{os.getuid()}"
    monkeypatch.delenv(VARIABLE)
    assert machine_code.cache_by_version() == tmp_path / "cache" / OWN
    for name, following in (("given", tmp_path / "cache"), ("cache", private)):
        monkeypatch.setenv(VARIABLE, str(tmp_path / "given"))
        shutil.rmtree(tmp_path / name / "gigaxas", ignore_errors=True)
        (tmp_path / name / "gigaxas").write_text("")
        assert machine_code.cache_by_version() == following / OWN
    assert private.stat().st_mode & 0o077 == 0


def test_a_user_without_a_home_has_machine_code_in_the_folder_for_temporary_files(
    tmp_path, monkeypatch, numba_config
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in (VARIABLE, "HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: {}[uid])
    assert machine_code.cache_by_version() == tmp_path / f"gigaxas-{os.getuid()}" / OWN
    assert not (tmp_path / "~").exists()


def test_a_machine_on_which_nothing_can_be_written_has_no_machine_code(monkeypatch, numba_config):
    monkeypatch.setenv(VARIABLE, os.devnull)
    monkeypatch.setattr(machine_code, "user_cache_path", lambda: Path(os.devnull))
    monkeypatch.setattr(tempfile, "tempdir", os.devnull)
    assert machine_code.cache_by_version() is None
    assert os.environ[VARIABLE] == os.devnull


@pytest.mark.parametrize("planted", ["link", "open"])
def test_what_another_user_put_in_the_folder_for_temporary_files_is_never_run(
    tmp_path, monkeypatch, numba_config, planted
):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "theirs").mkdir(mode=0o777)
    (tmp_path / "theirs").chmod(0o777)
    predicted = tmp_path / "tmp" / f"gigaxas-{os.getuid()}"
    predicted.symlink_to(tmp_path / "theirs") if planted == "link" else (tmp_path / "theirs").rename(
        predicted
    )
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(machine_code, "user_cache_path", lambda: Path(os.devnull))
    monkeypatch.delenv(VARIABLE)
    folder = machine_code.cache_by_version()
    assert not folder.resolve().is_relative_to(predicted.resolve())
    assert folder.is_relative_to(tmp_path / "tmp")


def test_versions_that_nobody_has_used_for_a_day_are_removed_but_for_the_last_few(tmp_path):
    now = 1e9
    hours = [0, 1, 2, 23, 23.5, 30, 40, 50]
    folders = [tmp_path / f"{number:016x}" for number in range(len(hours))]
    for folder, age in zip(folders, hours, strict=True):
        (folder / "kernels").mkdir(parents=True)
        os.utime(folder, (now - 3600 * age,) * 2)
    (tmp_path / "a user's own").mkdir()
    os.utime(tmp_path / "a user's own", (0, 0))
    machine_code.remove_old_versions(tmp_path, now)
    assert {path.name for path in tmp_path.iterdir()} == {"a user's own", *(f.name for f in folders[:5])}
    machine_code.remove_old_versions(tmp_path, now + 10 * 24 * 3600)
    assert {path.name for path in tmp_path.iterdir()} == {"a user's own", *(f.name for f in folders[:4])}
