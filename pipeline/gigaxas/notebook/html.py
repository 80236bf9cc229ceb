"""A result in a cell of a notebook: a small map and a table of the phases."""

from html import escape

import xarray as xr

from gigaxas.notebook.phases import phases, thinned_labels
from gigaxas.report import wording
from gigaxas.report.layers import data_uri, label_layer

LONGEST_SIDE = 320
"""Longest side of the small map, in pixels."""
MOST_ROWS = 15
"""Phases in the table, the largest first."""


def summary(result: xr.Dataset) -> str:
    """Return the HTML of a result; it asks for nothing from anywhere, and every name in it is escaped."""
    found = phases(result)
    labels = thinned_labels(result, LONGEST_SIDE)
    picture = label_layer(labels, [phase.label for phase in found], [phase.colour for phase in found])
    rows = "".join(
        f'<tr><td><span style="display:inline-block;width:1em;height:1em;background:{phase.colour}"></span> '
        f'{phase.label}</td><td style="text-align:left">{escape(phase.name)}</td>'
        f"<td>{wording.count(phase.pixels)}</td>"
        f"<td>{wording.share(phase.share)}</td></tr>"
        for phase in found[:MOST_ROWS]
    )
    more = len(found) - MOST_ROWS
    rest = f"<p>and {more} smaller ones</p>" if more > 0 else ""
    height, width = result.label.shape
    shown = round(LONGEST_SIDE * width / max(height, width))
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start">'
        f'<img src="{data_uri(picture)}" alt="phase map" '
        f'style="width:{shown}px;image-rendering:pixelated">'
        f"<div><p>{height} x {width} pixels, {result.sizes['energy']} energies, {len(found)} phases</p>"
        "<table><thead><tr><th>label</th><th>name</th><th>pixels</th><th>share</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{rest}</div></div>"
    )
