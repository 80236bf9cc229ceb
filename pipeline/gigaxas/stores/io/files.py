"""A file is there whole or not at all."""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gigaxas.errors import unwritable


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


def publish_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table with a line of names and a line for each row, as `publish_file` does."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    publish_file(path, text.getvalue().encode())


def publish_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows (at least one) of the same named cells, as `publish_csv` does."""
    publish_csv(path, list(rows[0]), [list(row.values()) for row in rows])
