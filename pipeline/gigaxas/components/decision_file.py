"""The decision file: what was decided on every cluster, and what an expert wants otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError, model_validator

from gigaxas.config.load import sentence
from gigaxas.config.schema import Section
from gigaxas.config.yaml import parse_yaml, read_text
from gigaxas.errors import InputError

LARGEST_FILE = 64_000_000
"""Bytes of a decision file, steps of many thousand clusters included; an expert's part is much smaller."""
LINE = "# ---- steps: written anew by every run; what stands below this line is not read"
TEMPLATE = """\
# Decisions on the clusters of {title}.
# What you want otherwise goes into `overrule`, by label; then run gigaxas phases again. For example
#   overrule:
#     17: {{keep: true, name: calcium ferrite, colour: "#3d8b7d"}}
#     23: {{merge: 12}}
overrule: {{}}
"""


class Overrule(Section):
    """What an expert wants of a cluster."""

    keep: bool = False
    """Keep it as a component, whatever explains it."""
    merge: int | None = None
    """Label of the component to merge it into."""
    name: Annotated[str, Field(min_length=1)] | None = None
    """Its name, in place of that of the nearest reference."""
    colour: Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")] | None = None
    """Its colour as a component, such as #3d8b7d."""

    @model_validator(mode="after")
    def _one_wish(self) -> "Overrule":
        if self.keep and self.merge is not None:
            raise ValueError("keep or merge a cluster, not both")
        return self


class _File(Section):
    overrule: dict[int, Overrule] | None = None


@dataclass(frozen=True)
class Decisions:
    """An expert's part of a decision file."""

    text: str
    """The part as it is written, comments included."""
    overrule: Mapping[int, Overrule] = field(default_factory=dict)
    """What is wanted, by label."""
    result: str | None = None
    """Fingerprint of the result that the labels are those of; None where no run has said it yet."""

    @property
    def keep(self) -> tuple[int, ...]:
        """The labels that stay components."""
        return tuple(sorted(label for label, wish in self.overrule.items() if wish.keep))

    @property
    def merge(self) -> dict[int, int]:
        """The labels that are merged, and into which."""
        return {k: wish.merge for k, wish in sorted(self.overrule.items()) if wish.merge is not None}


def read_decisions(path: Path, title: str, result: str) -> Decisions:
    """Read an expert's decisions on the clusters of the result with this fingerprint; none without a file.

    Raises InputError for what cannot be read, with a line for every error, and for overrules that were
    written for another result, whose labels mean something else.
    """
    if not path.exists():
        return Decisions(TEMPLATE.format(title=title))
    own, _, steps = read_text(path, LARGEST_FILE).partition(LINE)
    try:
        found = _File.model_validate(parse_yaml(own, path) if _says_anything(own) else {})
    except ValidationError as errors:
        lines = [sentence(error) for error in errors.errors()]
        raise InputError("\n".join(f"{path}: {line}" for line in lines)) from None
    decisions = Decisions(own, found.overrule or {}, _result(steps, path))
    if decisions.overrule and decisions.result not in (None, result):
        raise InputError(
            f"{path}: overrules labels of result {decisions.result}, this is {result}, whose labels differ; "
            "check the labels against clusters.csv, then remove everything below the line of dashes"
        )
    return decisions


def render_decisions(decisions: Decisions, result: str, steps: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of a decision file: the expert's part as it was, then every step taken."""
    own = decisions.text if decisions.text.endswith("\n") else decisions.text + "\n"
    written = yaml.safe_dump(
        {"result": result, "steps": [dict(step) for step in steps]},
        sort_keys=False,
        allow_unicode=True,
        width=110,
        default_flow_style=None,
    )
    return f"{own}{LINE}\n{written}"


def _says_anything(text: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def _result(steps: str, path: Path) -> str | None:
    """Return the fingerprint of the result that the steps were written for: their first line names it."""
    first = next((line for line in steps.splitlines() if line.strip()), None)
    if first is None:
        return None
    found = parse_yaml(first, path).get("result")
    if not isinstance(found, str):
        raise InputError(
            f"{path}: found {first!r} below the line of dashes, expected the name of a result; "
            "remove everything below that line"
        )
    return found
