import pytest
import yaml
from gigaxas.components.decision_file import LINE, read_decisions, render_decisions
from gigaxas.errors import InputError

OWN = """\
# my notes: 17 is certain (see the Raman map)
overrule:
  17: {keep: true, name: calcium ferrite, colour: "#3d8b7d"}
  23: {merge: 12}
"""
STEPS = [{"label": 12, "decision": "component", "name": "hematite"}, {"label": 17, "of": {12: 0.5}}]


def write(folder, text):
    path = folder / "decisions.yaml"
    path.write_text(text)
    return path


def test_without_a_file_nothing_is_overruled_and_a_template_is_written(tmp_path):
    found = read_decisions(tmp_path / "decisions.yaml", "my map", "abc")
    assert (found.keep, found.merge) == ((), {})
    text = render_decisions(found, "abc", STEPS)
    assert "clusters of my map" in text
    again = read_decisions(write(tmp_path, text), "my map", "abc")
    assert (again.overrule, again.result) == ({}, "abc")


def test_the_experts_part_stays_as_it_is_written(tmp_path):
    found = read_decisions(write(tmp_path, OWN), "t", "abc")
    assert (found.keep, found.merge) == ((17,), {23: 12})
    assert (found.overrule[17].name, found.overrule[17].colour) == ("calcium ferrite", "#3d8b7d")
    text = render_decisions(found, "abc", STEPS)
    assert text.startswith(OWN + LINE)
    assert yaml.safe_load(text)["steps"] == STEPS
    again = read_decisions(write(tmp_path, text), "t", "abc")
    assert render_decisions(again, "abc", STEPS) == text


def test_overrules_of_another_result_are_refused(tmp_path):
    path = write(tmp_path, render_decisions(read_decisions(write(tmp_path, OWN), "t", "abc"), "abc", STEPS))
    with pytest.raises(InputError, match="overrules labels of result abc, this is def"):
        read_decisions(path, "t", "def")
    path.write_text(path.read_text().partition(LINE)[0])
    assert read_decisions(path, "t", "def").keep == (17,)


def test_steps_alone_bind_nobody(tmp_path):
    path = write(tmp_path, render_decisions(read_decisions(tmp_path / "no", "t", "abc"), "abc", STEPS))
    assert read_decisions(path, "t", "def").overrule == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("overrule: {17: {kep: true}}", "overrule.17.kep: unknown key"),
        ("overrule: {17: {keep: true, merge: 3}}", "overrule.17: keep or merge a cluster, not both"),
        ("overrule: {17: {colour: red}}", "overrule.17.colour"),
        ("overrule: {17: {name: ''}}", "overrule.17.name"),
        ("overrule: {seventeen: {keep: true}}", "overrule.seventeen"),
        ("overrules: {}", "overrules: unknown key"),
        ("overrule: [17]", "overrule"),
        ("- 17", "found a list, expected a mapping of sections"),
        ("17: {keep: true}", "17"),
        ("overrule: &all {17: {keep: true}}\nmore: *all", "aliases"),
        ("overrule: {17: {name: " + "a" * 1_000_000 + "}}", "expected at most 1000000 of YAML"),
        (f"{LINE}\n- result\n", "expected a mapping of sections"),
        (f"{LINE}\nresult: *all\n", "aliases"),
        (f"{LINE}\nresult: [17]\n", "remove everything below that line"),
        ("overrule: {17", "not valid YAML"),
        ("\udcff", "no text in UTF-8"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "decisions.yaml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=message):
        read_decisions(path, "t", "abc")


@pytest.mark.parametrize("text", ["overrule:\n", "", "# overrule: {17: {keep: true}}\n\n"])
def test_an_empty_part_overrules_nothing(tmp_path, text):
    assert read_decisions(write(tmp_path, text), "t", "abc").overrule == {}


def test_a_variable_of_the_environment_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "a secret")
    found = read_decisions(write(tmp_path, "overrule: {17: {name: '${SECRET}'}}"), "t", "abc")
    assert found.overrule[17].name == "${SECRET}"


def test_steps_of_many_clusters_are_no_obstacle(tmp_path):
    text = render_decisions(read_decisions(write(tmp_path, OWN), "t", "abc"), "abc", STEPS) + 2**21 * "#"
    assert read_decisions(write(tmp_path, text), "t", "abc").result == "abc"
