"""What a finished run has to say."""

from collections.abc import Sequence
from dataclasses import dataclass

from gigaxas.locations import Location
from gigaxas.report import ClusterRow, SpeckReport, Truth, VoidView


@dataclass(frozen=True)
class Summary:
    """What a finished run has to say."""

    clusters: Sequence[ClusterRow]
    """Largest first."""
    truth: Truth | None
    """How much is right, of a simulated cube."""
    void: Sequence[VoidView]
    """Why pixels are void, the most frequent reason first."""
    paths: Sequence[Location]
    """What was written."""
    specks: SpeckReport | None = None
    """The specks, where these were searched."""
    inexact: Sequence[tuple[str, str, str]] = ()
    """Rows (name, share, meaning) on labels that are not exact."""
