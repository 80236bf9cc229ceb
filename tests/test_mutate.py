"""The mutation script on a package of one function: killed, survived, and no mutation at all."""

import json
import time

import mutate
import pytest

CODE = "def larger(a, b):\n    return a if a > b else b\n"
TEST = """
import gigaxas.order

def test_the_larger_of_two_is_found():
    assert gigaxas.order.larger(1, 2) == 2

def test_equal_numbers_are_their_own_larger():
    assert gigaxas.order.larger(3, 3) == 3
"""
TESTS = "tests/test_order.py"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for path, text in {
        "pipeline/gigaxas/__init__.py": "",
        "pipeline/gigaxas/order.py": CODE,
        TESTS: TEST,
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / mutate.LISTS).mkdir()
    monkeypatch.setattr(mutate, "ROOT", tmp_path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return tmp_path


def listed(tree, *entries):
    """Write a list of entries (name, old, new, tests)."""
    names = ("name", "old", "new", "tests", "file")
    text = [
        "\n".join(f"{n} = {json.dumps(v)}" for n, v in zip(names, (*entry, "order.py"), strict=True))
        for entry in entries
    ]
    (tree / mutate.LISTS / "order.toml").write_text("".join(f"[[mutation]]\n{lines}\n" for lines in text))


def test_what_fails_is_killed_and_the_rest_is_not(tree, capsys):
    listed(
        tree,
        ("the smaller", "a > b", "a < b", [f"{TESTS}::test_the_larger_of_two_is_found"]),
        ("the second of two equal", "a > b", "a >= b", [TESTS]),
        ("crashes", "return a", "import os; os.abort()\n    return a", [TESTS]),
        ("cannot be imported", "def larger", "import nothing\ndef larger", [TESTS]),
    )
    assert mutate.main(["--jobs", "2"]) == 1
    told = capsys.readouterr().out
    words = dict(line.split(maxsplit=1)[::-1] for line in told.splitlines() if " order: " in line)
    assert {name.split(": ")[1].split(" (")[0]: word for name, word in words.items()} == {
        "the smaller": "killed",
        "the second of two equal": "survived",
        "crashes": "killed",
        "cannot be imported": "not",
    }
    assert told.endswith("2 killed, 1 survived, 1 not run, 0 do not apply\n")
    assert (tree / "pipeline/gigaxas/order.py").read_text() == CODE


def test_what_hangs_is_killed_and_killed_alone_is_success(tree):
    listed(
        tree,
        ("never ends", "return a", "while True: pass\n    return a", [TESTS]),
        ("left out", "a > b", "a >= b", [TESTS]),
    )
    start = time.monotonic()
    assert mutate.main(["--only", "ends", "--room", "order", "--limit", "3"]) == 0
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (("n", "a > c", "a", [TESTS]), "occurs 0 times"),
        (("n", "a > b", "a > b", [TESTS]), "same"),
        (("n", "b", "c", [TESTS]), "occurs 3 times"),
        (("n", "a > b", "a < b", []), "no test is named"),
        (
            ("n", "a > b", "a < b", [f"{TESTS}::test_nothing"]),
            "no such test: tests/test_order.py::test_nothing",
        ),
        (("n", "a > b", "a < b", ["tests/test_gone.py"]), "no such test"),
        (("n", "a > b", "a < b", "tests/test_order.py"), "expected the fields"),
    ],
)
def test_an_entry_that_does_not_apply_is_told_before_anything_runs(tree, capsys, entry, sentence):
    listed(tree, entry)
    assert mutate.main(["--check"]) == 1
    assert sentence in capsys.readouterr().out


def test_tests_that_fail_unmutated_end_the_run(tree):
    (tree / TESTS).write_text("def test_nothing():\n    assert False\n")
    listed(tree, ("the smaller", "a > b", "a < b", [TESTS]))
    with pytest.raises(SystemExit, match="fail on the code as it is"):
        mutate.main([])
