"""A report that shows itself anew while the measurement goes on."""

import json
from dataclasses import dataclass
from pathlib import Path

from gigaxas.stores.io.files import publish_file

STATE = "underway.js"
"""File of the report folder that open pages read again and again."""


@dataclass(frozen=True)
class Underway:
    """How far a measurement is that is being watched."""

    version: int
    """Larger for every page that is written."""
    told: str
    """How far it is, in words."""
    corner: tuple[float, float]
    """Where the map's first pixel lies, x and y, in pixels of the stage."""
    is_over: bool
    """Whether this is the last page."""


def tell_pages(folder: Path, there: Underway) -> None:
    """Tell pages that are open in a browser what is there; raises RunError.

    One of an older version loads itself again, others show what is told; where it is over, none looks again.
    """
    content = {"version": there.version, "told": there.told, "over": there.is_over}
    state = json.dumps(content, separators=(",", ":"))
    publish_file(folder / STATE, f"gxUnderway({state})\n".encode())
