"""A file is there whole or not at all."""

import os
from pathlib import Path


def publish(path: Path, content: bytes) -> None:
    """Write `content` aside and rename it to `path`; on OSError the old file stays."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
