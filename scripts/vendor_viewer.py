"""Take OpenSeadragon for the map viewer, and axe-core for the tests, out of their npm packages.

Needs npm, and only when a version below changes: python scripts/vendor_viewer.py
"""

import base64
import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Package(NamedTuple):
    """A package of the npm registry and where its files go."""

    name: str
    version: str
    integrity: str
    files: tuple[str, ...]
    target: Path


PACKAGES = (
    Package(
        "openseadragon",
        "6.1.1",
        "g4iKe2q8B642SaBT3+x4ZF3/8b1TxPPydyjmtrOLgDrlYWMKd9ZXM+1Cb/xa9DVySkvs/7l6HR1nHKfD5F3Tsw==",
        ("build/openseadragon/openseadragon.min.js", "LICENSE.txt"),
        ROOT / "pipeline" / "gigaxas" / "report" / "vendor" / "openseadragon",
    ),
    Package(
        "axe-core",
        "4.14.1",
        "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        ("axe.min.js", "LICENSE"),
        ROOT / "tests" / "vendor" / "axe-core",
    ),
)


def main() -> None:
    """Fetch every package, compare it with its pinned hash, and copy its library and licence."""
    for package in PACKAGES:
        with tempfile.TemporaryDirectory() as folder:
            take(package, Path(folder))
        print(f"wrote {package.target}")


def take(package: Package, folder: Path) -> None:
    """Fetch one package into `folder` and copy its files."""
    named = f"{package.name}@{package.version}"
    subprocess.run(["npm", "pack", "--silent", named], cwd=folder, check=True)
    archive = next(folder.glob("*.tgz"))
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != package.integrity:
        raise SystemExit(f"{named}: found sha512 {found}, expected {package.integrity}")
    package.target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as content:
        for name in package.files:
            member = content.extractfile(f"package/{name}")
            assert member is not None, name
            (package.target / Path(name).name).write_bytes(member.read())


if __name__ == "__main__":
    main()
