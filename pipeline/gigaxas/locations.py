"""Where a store lies: a folder that this machine sees, or an address such as s3://bucket/name."""

import os
from pathlib import Path
from urllib.parse import urlsplit

INSIDE = "::"
"""What stands between the names of files and the array inside them."""


class Url(str):
    """The address of a store that fsspec opens; its parts are joined and named as a Path's are."""

    __slots__ = ()

    def __truediv__(self, part: str) -> "Url":
        return Url(f"{self}/{part}")

    @property
    def name(self) -> str:
        """The last part."""
        return self.rpartition("/")[2]


Location = Path | Url


def location(text: str | Path) -> Location:
    """Return the location that a text names. Raises ValueError for an address that carries a credential."""
    if isinstance(text, Path) or "://" not in text:
        return Path(text)
    parts = urlsplit(text)
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("an address holds no credential and no query; credentials come from the environment")
    return Url(text.rstrip("/"))


def shown(place: str | Location) -> str:
    """Return a path as one would type it where the command runs: relative where it lies below."""
    if "://" in str(place):
        return str(place)
    path, here = Path(os.path.normpath(place)), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
