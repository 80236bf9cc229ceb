"""Take the map viewer's library, OpenSeadragon, out of its npm package into the report's package data.

Needs npm, and only when the version below changes: python scripts/vendor_viewer.py
"""

import base64
import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

VERSION = "6.1.1"
INTEGRITY = "g4iKe2q8B642SaBT3+x4ZF3/8b1TxPPydyjmtrOLgDrlYWMKd9ZXM+1Cb/xa9DVySkvs/7l6HR1nHKfD5F3Tsw=="
FILES = ("build/openseadragon/openseadragon.min.js", "LICENSE.txt")
TARGET = Path(__file__).parents[1] / "pipeline" / "gigaxas" / "report" / "vendor" / "openseadragon"


def main() -> None:
    """Fetch the package, compare it with the pinned hash, and copy its library and licence."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", f"openseadragon@{VERSION}"], cwd=folder, check=True)
        archive = next(Path(folder).glob("*.tgz"))
        found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != INTEGRITY:
            raise SystemExit(f"openseadragon {VERSION}: found sha512 {found}, expected {INTEGRITY}")
        TARGET.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as package:
            for name in FILES:
                member = package.extractfile(f"package/{name}")
                assert member is not None, name
                (TARGET / Path(name).name).write_bytes(member.read())
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main()
