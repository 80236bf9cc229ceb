"""The version of this package's code, to the last line: journals and machine code are named by it."""

import functools
import hashlib
from pathlib import Path


@functools.cache
def code_version() -> str:
    """Return 16 hexadecimal digits that change with any line of this package's code."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(file.relative_to(package).as_posix().encode() + b"\n" + file.read_bytes())
    return digest.hexdigest()[:16]
