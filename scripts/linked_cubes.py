"""Large cubes that cost no disk: their chunks are hard links to the chunks of a small one."""

import os
from pathlib import Path

from gigaxas.stores import cube
from gigaxas.stores.cube import WORKING_POINT


def link_cube(path: Path, source: Path, plane: tuple[int, int], chunk: int) -> Path:
    """Make a cube of `plane` pixels out of the chunks of the cube `source`, taken in turn.

    `plane` holds whole chunks. Neighbours do not continue each other: the cube is for speed and memory.
    """
    info = cube.describe_cube(source)
    cube.create_cube(path, info.energy, plane, chunk, info.pixel_um, f"linked {plane}")
    rows, columns = plane[0] // chunk, plane[1] // chunk
    for name in (cube.MU, *WORKING_POINT):
        chunks = sorted(file for file in (source / name / "c").rglob("*") if file.is_file())
        lead = ("0",) if name == cube.MU else ()
        for number in range(rows * columns):
            place = divmod(number, columns)
            target = path.joinpath(name, "c", *lead, *map(str, place))
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(chunks[number % len(chunks)], target)
    return path
