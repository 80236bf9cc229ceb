"""Fetch four measured Fe K-edge spectra through pip, for configs/measured.yaml and for tests marked `real`.

The source distribution of araucaria 0.1.11 (M. Alsina, licence BSD as its PKG-INFO says) holds them:
an iron foil, iron(II) sulfate, ferrihydrite and goethite, measured at DESY P65. Its file must have the hash
below. Nothing of it is installed, and nothing is run but what pip runs to read its metadata.

    python scripts/measured_spectra.py [FOLDER]
"""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE, VERSION = "araucaria", "0.1.11"
SHA256 = "7b12556c9ff5a6492b4219d618d21dace6edf3e32104664eb45ed0c2f8f6b4c0"
INSIDE = f"{PACKAGE}-{VERSION}/{PACKAGE}/testdata/Fe_database.h5"
FOLDER = Path(__file__).parents[1] / "runs" / "measured-spectra"
SOURCE = f"""{INSIDE} of the source distribution of {PACKAGE} {VERSION}
from the Python Package Index, SHA-256 {SHA256}
Licence: BSD (PKG-INFO)
"""


def fetch(work: Path) -> Path:
    """Let pip download the source distribution into a folder, and check its hash; return its path."""
    wanted = work / "wanted.txt"
    wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n", encoding="utf-8")
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--require-hashes"),
        *("-r", str(wanted), "-d", str(work)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"pip could not get {PACKAGE} {VERSION}:\n{done.stderr.strip()}")
    return work / f"{PACKAGE}-{VERSION}.tar.gz"


def unpack(archive: Path, folder: Path) -> Path:
    """Write the database of spectra in a source distribution, and where it is from, to a folder."""
    with tarfile.open(archive) as file:
        member = file.extractfile(INSIDE)
        assert member is not None
        content = member.read()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / Path(INSIDE).name
    path.write_bytes(content)
    (folder / "SOURCE.txt").write_text(SOURCE, encoding="utf-8")
    return path


def main(folder: Path) -> None:
    """Fetch the spectra, unless they are there."""
    path = folder / Path(INSIDE).name
    if not path.is_file():
        with tempfile.TemporaryDirectory() as work:
            unpack(fetch(Path(work)), folder)
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
