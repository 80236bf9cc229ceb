"""The version of the code: results and machine code of another version are not taken for this one's."""

import functools
import hashlib
from pathlib import Path


@functools.cache
def code_version() -> str:
    """Return what changes with any line of this package's code."""
    package = Path(__file__).parent
    mark = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        mark.update(file.relative_to(package).as_posix().encode() + b"\n" + file.read_bytes())
    return mark.hexdigest()[:16]
