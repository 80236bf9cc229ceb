"""What the docstrings of the public names tell: arguments with shapes, results, errors."""

import inspect
import re
from pathlib import Path

import gigaxas as gx
import griffe
import pytest
from gigaxas.notebook.accessor import ResultAccessor, ResultPlots

FUNCTIONS = {name: getattr(gx, name) for name in gx.__all__ if inspect.isfunction(getattr(gx, name))}
METHODS = {
    f"{kind.__name__}.{name}": method
    for kind in (ResultAccessor, ResultPlots)
    for name, method in vars(kind).items()
    if inspect.isfunction(method) and not name.startswith("_")
}
SHAPE = re.compile(r"\((\.\.\.|[Eyxnmshq]\b[^()]*|n \(n \+ 1\) / 2)(, [^()]*)?\)")
ARRAYS = ("ndarray", "_SupportsArray", "Dataset")
PAGE = Path(__file__).parents[1] / "docs/reference/api.md"


def sections(function):
    """The sections of a docstring, as the website reads them."""
    parsed = griffe.Docstring(inspect.getdoc(function)).parse(
        "google", returns_multiple_items=False, returns_named_value=False
    )
    return {section.kind.value: section.value for section in parsed}


@pytest.mark.parametrize("name", [*FUNCTIONS, *METHODS])
def test_arguments_results_and_errors_are_told(name):
    function = (FUNCTIONS | METHODS)[name]
    told = sections(function)
    signature = inspect.signature(function)
    parameters = {each: signature.parameters[each] for each in signature.parameters if each != "self"}
    described = {each.name: each.description for each in told.get("parameters", [])}
    assert list(described) == list(parameters)
    assert told["returns"][0].description
    assert not told["returns"][0].annotation, "what is before a colon is taken for the type"
    assert name in METHODS or told["raises"]
    for each, parameter in parameters.items():
        if each != "result" and any(word in str(parameter.annotation) for word in ARRAYS):
            assert SHAPE.search(described[each]), f"{each}: which shape?"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_array_that_is_returned_has_its_shape_told(name):
    returned = str(inspect.signature(FUNCTIONS[name]).return_annotation)
    if any(word in returned for word in ARRAYS):
        assert SHAPE.search(sections(FUNCTIONS[name])["returns"][0].description)


def test_the_page_has_every_public_name_under_its_place():
    listed = set(re.findall(r"^::: (\S+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    wanted = {f"gigaxas.{gx._ROOMS[name]}.{name}" for name in gx._ROOMS}
    short = {entry.rsplit(".", 1)[-1] for entry in listed}
    assert set(gx._ROOMS) <= short, set(gx._ROOMS) - short
    assert {"ResultAccessor", "ResultPlots"} <= short
    for entry in listed:
        name = entry.rsplit(".", 1)[-1]
        assert name not in gx._ROOMS or entry in wanted, entry
