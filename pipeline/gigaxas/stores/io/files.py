"""A file is there whole or not at all."""

import csv
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from gigaxas.errors import unwritable

Row = TypeVar("Row")
Columns = Mapping[str, Callable[[Row], object]]
"""The columns of a table in their order: the name of each, and the cell that a row has in it."""


def publish_file(path: Path, content: bytes) -> None:
    """Write `content` aside and rename it to `path`. RunError, and the old file kept, if it cannot."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        aside.unlink(missing_ok=True)


def publish_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table with a line of names and a line for each row, as `publish_file` does."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    publish_file(path, text.getvalue().encode())


def publish_table(path: Path, columns: Columns[Row], rows: Iterable[Row]) -> None:
    """Write `rows` as CSV under a line of the columns' names, as `publish_file` does. Raises RunError."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell(row) for cell in columns.values()] for row in rows)
    publish_file(path, text.getvalue().encode())
