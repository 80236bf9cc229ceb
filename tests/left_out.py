"""A pytest plugin: at its end a run says which tests were left out, for what reason, and how to run them."""

from collections import Counter

import pytest

HOW = {
    "GIGAXAS_STANDARDS": "GIGAXAS_STANDARDS=FOLDER make test (docs/how-to/references.md: where spectra are)",
    "GIGAXAS_STACKS": "GIGAXAS_STACKS=FOLDER make test",
    "measured_spectra.py": "make measured test",
    "Chromium": "install chromium (apt-get install chromium), then make test",
    "napari": ".venv/bin/pip install napari-ome-zarr, then make test",
    "xraylarch": ".venv/bin/pip install xraylarch, then make test",
    "GIGAXAS_SLURM": "GIGAXAS_SLURM=1 make test-all, where a Slurm may be started",
    "slurm-wlm": "install slurm-wlm and munge, then GIGAXAS_SLURM=1 make test-all",
    "openssl": "install openssl, then make test",
    "no git": "run make test in a clone",
    "no make": "install make, then make test",
    "needs root": "run make test as root",
    "root may": "run make test as another user than root",
    "could not import": ".venv/bin/pip install what it names, then make test",
}
"""How tests are run that were skipped for a reason in which a word occurs; the first word counts."""
MARKED = {"slow": "make test-all", "bench": "make bench"}
"""How tests are run that a mark leaves out."""


def lines(reasons, marks):
    """Return what to print, of the reason of every skipped test and the expression on marks."""
    told = []
    for reason, count in Counter(reasons).most_common():
        told.append(f"{count} {'test' if count == 1 else 'tests'}: {reason}")
        told += [f"    {how}" for word, how in HOW.items() if word in reason][:1]
    for mark, command in MARKED.items():
        if f"not {mark}" in marks:
            told += [f"tests marked {mark}", f"    {command}"]
    return told


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter, config):
    yield
    skipped = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", [])]
    told = lines([reason.removeprefix("Skipped: ") for reason in skipped], config.option.markexpr)
    if told:
        terminalreporter.write_sep("=", "left out, and how to run it")
        for line in told:
            terminalreporter.write_line(line)
