"""Files that were written last, and what was told of them: while all is as it was, none is made again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import google_crc32c

from gigaxas.checkpoint.owner import JOURNAL
from gigaxas.checkpoint.records import NOWHERE, Record, pack, unpack
from gigaxas.errors import unwritable
from gigaxas.stores.io.files import publish_file


def note_written(output: Path, name: str, mark: str, told: Any, files: Sequence[Path]) -> None:
    """Note files of an output folder as they are now; `mark` names what they, and what is told, depend on.

    Raises RunError where it cannot be written.
    """
    content = [(file.relative_to(output).as_posix(), *_content(file)) for file in files]
    try:
        (output / JOURNAL).mkdir(exist_ok=True)
    except OSError as error:
        raise unwritable(output / JOURNAL, error, "made") from None
    publish_file(output / JOURNAL / name, pack([_record([content, pack([_record(told)])], mark)]))


def told_of_written(output: Path, name: str, mark: str) -> Any:
    """Return what was told of the files of this mark; None where these or their note are not as they were."""
    try:
        (note,) = unpack((output / JOURNAL / name).read_bytes())
        content, told = note.value
        if note.mark != mark or any(_content(output / file) != (size, crc) for file, size, crc in content):
            return None
        return unpack(told)[0].value  # of this code: a record of another may name what is no more
    except (OSError, ValueError):
        return None


def _record(value: Any, mark: str = "") -> Record:
    return Record(NOWHERE, value, [], mark)


def _content(file: Path) -> tuple[int, int]:
    """Return the size and the CRC-32C of a file."""
    data = file.read_bytes()
    return len(data), google_crc32c.value(data)
