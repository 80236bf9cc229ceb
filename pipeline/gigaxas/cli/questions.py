"""What `gigaxas init` asks on a terminal, and what it takes where nobody answers."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gigaxas.errors import InputError

if TYPE_CHECKING:
    from gigaxas.workflow.proposal import Proposal


@dataclass(frozen=True)
class Start:
    """What a configuration is for, and where it is to lie."""

    image: str
    """The images."""
    references: Path | None
    """The reference spectra, if there are any."""
    to: Path
    """The configuration."""


def can_ask() -> bool:
    """Return whether somebody is there who can answer."""
    return sys.stdin.isatty()


def ask_for_start(image: str | None, references: Path | None, to: Path | None) -> Start:
    """Return the files that were given as options; where no image was, ask for all that are missing.

    Raises InputError where no image was given and nobody can be asked.
    """
    if image is None and not can_ask():
        raise InputError("IMAGE: missing; give a file or folder of images, or answer questions on a terminal")
    if image is None:
        image = typer.prompt("images (a file, a folder, or file::array)")
        if references is None:
            told = typer.prompt("reference spectra (a file or folder; empty for none)", default="")
            references = Path(told) if told else None
    return Start(image, references, to or Path(f"{_stem(image)}.yaml"))


def settled(image: str, answers: Mapping[str, str]) -> "Proposal":
    """Return how an image is read, with what files do not tell asked on a terminal.

    Elsewhere defaults are taken. Raises InputError for what has none.
    """
    from gigaxas.workflow.proposal import propose

    known = dict(answers)
    while (found := propose(image, known)).questions:
        if not can_ask():
            needed = [question for question in found.questions if question.default is None]
            if not needed:
                return found
            raise InputError("\n".join(f"--{each.key}: missing; give the {each.text}" for each in needed))
        question = found.questions[0]
        known[question.key] = typer.prompt(question.text, default=question.default)
    return found


def _stem(image: str) -> str:
    """Return what a configuration is called after its image: the name without endings and placeholders."""
    name = Path(image.partition("::")[0]).absolute().name
    return name.partition(".")[0].partition("{")[0].rstrip("_- ") or "gigaxas"
