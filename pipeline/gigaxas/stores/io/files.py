"""A file is there whole or not at all."""

import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from gigaxas.errors import unwritable

Row = TypeVar("Row")
Columns = Mapping[str, Callable[[Row], object]]
"""The columns of a table in their order: the name of each, and the cell that a row has in it."""


def publish_file(path: Path, content: bytes) -> None:
    """Write under another name, then rename to `path`. RunError, and the old file kept, where that fails."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        partial.unlink(missing_ok=True)


def publish_table(path: Path, columns: Columns[Row], rows: Iterable[Row]) -> None:
    """Write `rows` as CSV under a line of the columns' names, as `publish_file` does. Raises RunError."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell(row) for cell in columns.values()] for row in rows)
    publish_file(path, text.getvalue().encode())


def plain_name(name: str) -> str:
    """Return a name that any file system takes: letters, digits and signs, 60 at most."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", name).strip("-.")[:60] or "unnamed"
