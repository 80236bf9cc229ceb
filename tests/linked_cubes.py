"""Large cubes that cost no disk: their chunks are hard links to the chunks of a small one."""

import os

from pipeline.stores import cube
from pipeline.stores.cube import WORKING_POINT


def link_cube(path, source, side, chunk):
    """Make a square cube of `side` pixels out of the chunks of the cube `source`, repeated."""
    info = cube.describe_cube(source)
    cube.create_cube(path, info.energy, (side, side), chunk, info.pixel_um, f"linked {side}")
    for name in (cube.MU, *WORKING_POINT):
        chunks = sorted(file for file in (source / name / "c").rglob("*") if file.is_file())
        lead = ("0",) if name == cube.MU else ()
        for number, place in enumerate((i, j) for i in range(side // chunk) for j in range(side // chunk)):
            target = path.joinpath(name, "c", *lead, *map(str, place))
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(chunks[number % len(chunks)], target)
    return path
