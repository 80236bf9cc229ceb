"""Disks that are full or may not be written to, with real file systems of a few megabytes."""

import contextlib
import os
import subprocess
import sys
import time

import pytest

GIGAXAS = [sys.executable, "-c", "from gigaxas.cli.verbs import main; main()"]
CONFIG = """
title: small
output: {output}
simulate: {{scene: sinter, shape: [256, 256], chunk: 64, seed: 1}}
references: {{modelled: true}}
sites: {{mixtures: none, method: net}}
compute: {{cluster: threads, workers: 2}}
"""


@contextlib.contextmanager
def file_system(folder, *options):
    """A small file system of its own at a folder."""
    folder.mkdir(exist_ok=True)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder], check=False)
    if made.returncode:
        pytest.skip("this user may not mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def classify(tmp_path, output, act=None):
    """Classify; do something as soon as the cube has its first chunk."""
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG.format(output=output))
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*GIGAXAS, "classify", path], **pipes) as process:
        if act is not None:
            while process.poll() is None and not (output / "cube.zarr.partial" / "mu" / "c").exists():
                time.sleep(0.005)
            act()
        stderr = process.communicate(timeout=300)[1]
    return subprocess.CompletedProcess(process.args, process.returncode, stderr=stderr)


def fill(path):
    """Write a file until the disk is full."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(2**16))


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")


@needs_root
def test_a_full_disk_ends_with_a_sentence_and_with_room_the_run_goes_on(tmp_path):
    with file_system(tmp_path / "disk", "size=60m") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(45 * 2**20))
        done = classify(tmp_path, disk / "out")
        assert done.returncode == 2, done.stderr
        assert "free, the run writes up to" in done.stderr
        ballast.unlink()
        done = classify(tmp_path, disk / "out", lambda: fill(ballast))
        assert done.returncode == 1, done.stderr
        assert "No space left on device" in done.stderr
        assert done.stderr.count("\n") == 1
        assert not (disk / "out" / "cube.zarr").exists()
        ballast.unlink()
        done = classify(tmp_path, disk / "out")
        assert done.returncode == 0, done.stderr
        assert (disk / "out" / "result.zarr").is_dir()


@needs_root
def test_a_disk_that_is_read_only_is_bad_input(tmp_path):
    with file_system(tmp_path / "disk", "size=60m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        done = classify(tmp_path, disk / "out")
        assert done.returncode == 2, done.stderr
        assert "give a folder you may write to" in done.stderr
        assert done.stderr.count("\n") == 1
