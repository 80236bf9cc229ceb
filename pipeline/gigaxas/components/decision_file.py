"""The decision file: what was decided on every cluster, and what an expert wants otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError, model_validator

from gigaxas.config.load import sentence
from gigaxas.config.schema import Section
from gigaxas.errors import InputError

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
    """What an expert wants of a cluster: keep it as a component, merge it into one, its name, its colour."""

    keep: bool = False
    merge: int | None = None
    name: Annotated[str, Field(min_length=1)] | None = None
    colour: Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")] | None = None

    @model_validator(mode="after")
    def _one_wish(self) -> "Overrule":
        if self.keep and self.merge is not None:
            raise ValueError("keep or merge a cluster, not both")
        return self


class _File(Section):
    overrule: dict[int, Overrule] | None = None


@dataclass(frozen=True)
class Decisions:
    """An expert's part of a decision file, as text and as read, and the result its labels are those of."""

    text: str
    overrule: Mapping[int, Overrule] = field(default_factory=dict)
    result: str | None = None

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
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Decisions(TEMPLATE.format(title=title))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); remove it to start afresh") from None
    own, _, steps = text.partition(LINE)
    try:
        found = _File(**(_mapping(own, path)))
    except ValidationError as errors:
        lines = [sentence(error) for error in errors.errors()]
        raise InputError("\n".join(f"{path}: {line}" for line in lines)) from None
    decisions = Decisions(own, found.overrule or {}, _result(steps))
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


def _mapping(text: str, path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise InputError(f"{path}: found {type(document).__name__}, expected `overrule`")
    return document


def _result(steps: str) -> str | None:
    """Return the fingerprint of the result that the steps were written for."""
    try:
        document = yaml.safe_load(steps)
        return str(document["result"])
    except (yaml.YAMLError, TypeError, KeyError):
        return None
