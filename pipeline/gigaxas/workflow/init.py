"""A first configuration for somebody's files, with the reason for every line and what may be decided."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import indent, wrap
from typing import Any

from gigaxas.config.load import folder_of, validated
from gigaxas.config.yaml import parse_yaml, render_yaml
from gigaxas.errors import InputError
from gigaxas.spectra.edges import edges_within, parse_edge
from gigaxas.workflow.info import info
from gigaxas.workflow.proposal import QUANTITIES, Proposal

WIDTH = 100
"""Characters of a line of comment."""
NAMED = 6
"""References that a comment names."""
COMPUTE = "# compute: {workers: 2}      # left out, all cores"
CHOICES = f"""\
# What else may be decided; remove the # of a line to do so. All keys: docs/reference/configuration.md.
# noise: {{model: measured}}   # or a camera's numbers; left out, the noise is measured on the image
# specks: {{}}                 # look for phases smaller than 5 x 5 pixels, down to one
# maps: [chi_square]         # a map of how well each pixel is explained
{COMPUTE}
"""
SMALL = 20_000_000
"""Samples up to which worker processes take longer to start than the work takes."""
ALONE = "compute: {cluster: threads}  # an image so small is done faster in one process"


def configuration(
    path: Path, found: Proposal, references: Path | None, edge: str | None = None, title: str | None = None
) -> str:
    """Return the text of a configuration that is to lie at `path` and reads what was found.

    Its paths are relative where they lie below its folder. Raises InputError: references that are no spectra,
    an unknown edge, or settings that do not fit each other.
    """
    folder = folder_of(path)
    parts = [
        _comment(
            f"Written by gigaxas init. `gigaxas check {path.name}` says everything that is wrong with it; "
            f"`gigaxas classify {path.name}` makes the map. Any line may be changed."
        ),
        render_yaml({"title": title or path.stem}),
        f"{render_yaml({'output': f'runs/{path.stem}'})}  # a folder that the run makes and owns",
        "",
        *_edge(found, edge),
        _comment(f"{found.about}."),
        f"{found.section}:",
        *_keys(_from(found.keys, folder), found.why),
        *(f"  {hint if hint.startswith('#') else f'# {hint}'}" for hint in found.hints),
        "",
        *_references(references, folder),
        "",
        CHOICES.replace(COMPUTE, ALONE) if 0 < found.samples <= SMALL else CHOICES,
    ]
    text = "\n".join(parts)
    validated(parse_yaml(text, path), f"{path}: ", folder)
    return text


def write_configuration(path: Path, text: str, force: bool = False) -> None:
    """Write a configuration. Raises InputError where a file is there already, unless `force` replaces it."""
    if path.exists() and not force:
        raise InputError(
            f"{path}: there is a file already; give another name (--to), or replace it with --force"
        )
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); give another place (--to)") from None


def _edge(found: Proposal, given: str | None) -> list[str]:
    if given is not None:
        return [render_yaml({"edge": parse_edge(given).setting}), ""]
    if found.energy is None:
        return []
    names = [edge.name for edge in edges_within(found.energy)]
    if not names:
        return [
            _comment("The energies reach over no tabulated edge: spectra are compared as they are."),
            "",
        ]
    told = f"The energies reach over {' and '.join(names)}; left out, the edge is found by the spectra."
    return [_comment(told), f"# {render_yaml({'edge': names[0]})}", ""]


def _references(path: Path | None, folder: Path) -> list[str]:
    if path is None:
        return [
            _comment(
                "Without reference spectra the phases are found and have no names. Files of spectra (XDI, "
                "Athena, columns, CSV) give them: docs/how-to/references.md tells where there are some."
            ),
            "# references: {path: my-references}",
            "sites: {from: observed}  # remove this line where there are references",
        ]
    rows = [row for row in info(path).rows if row.shape and row.axes == "E"]
    if not rows:
        raise InputError(f"{path}: holds no reference spectra; gigaxas info tells what is in it")
    named = ", ".join(row.name for row in rows[:NAMED]) + (" and others" if len(rows) > NAMED else "")
    return [
        _comment(f"{len(rows)} spectra: {named}. `gigaxas references {path}` shows what they cover."),
        "references:",
        *_keys(_from({"path": str(path)}, folder), {}),
        "  # align: apply  # move them by the shift of energy against the image, which the run prints",
    ]


def _keys(keys: Mapping[str, Any], why: Mapping[str, str]) -> list[str]:
    """Return the lines of a section, the reason for a key behind its line."""
    lines = []
    for key, value in keys.items():
        text = indent(render_yaml({key: value}), "  ")
        lines.append(f"{text}  # {why[key]}" if key in why and "\n" not in text else text)
    return lines


def _from(value: Any, folder: Path) -> Any:
    """Return settings whose paths start at the folder of the configuration, where they lie below it."""
    if isinstance(value, Mapping):
        return {key: _from(each, folder) for key, each in value.items()}
    if not isinstance(value, str) or value in QUANTITIES:
        return value
    path = Path(value).absolute()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _comment(text: str) -> str:
    return "\n".join(
        f"# {line}" for line in wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    )
