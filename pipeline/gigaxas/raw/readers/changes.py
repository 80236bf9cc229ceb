"""When to look into folders that an instrument writes: as soon as the system tells of a change there."""

import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import psutil
import watchfiles

from gigaxas.locations import shown

REMOTE = frozenset(
    {
        *("nfs", "nfs3", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afpfs", "afs", "ncpfs", "9p", "ceph"),
        *("lustre", "beegfs", "gpfs", "mmfs", "glusterfs", "panfs", "pvfs2", "orangefs", "vboxsf"),
    }
)
"""File systems that other machines write too, of whose changes this one is told nothing."""
PARTS = 8
"""Parts of the time between two looks in which changes that come one after another count as one."""


def changes(
    folders: Sequence[Path], deep: bool, seconds: float, announce: Callable[[str], None]
) -> Generator[None, None, None]:
    """Yield at once, then whenever something changed in folders, and at the latest after so many seconds.

    `deep` includes the folders in them. `announce` is told whether the system tells of changes or whether
    the folders are looked at in turn: until all of them are there, and where one lies on a network disk.
    """
    yield
    while not all(folder.is_dir() for folder in folders):
        time.sleep(seconds)
        yield
    remote = next(((folder, kind) for folder in folders if (kind := network_disk(folder))), None)
    named = ", ".join(map(shown, folders))
    if remote:
        why = f"{shown(remote[0])} is on a network disk ({remote[1]})"
    else:
        announce(f"watching   {named}: the system tells of changes")
        moment = max(1, round(1000 * seconds))
        try:
            for _ in watchfiles.watch(
                *folders,
                watch_filter=None,
                debounce=moment,
                step=max(1, moment // PARTS),
                rust_timeout=moment,
                yield_on_timeout=True,
                recursive=deep,
            ):
                yield
        except (RuntimeError, OSError) as error:
            why = f"the system tells of no changes there ({error})"
    announce(f"watching   {named}: looked at every {seconds:g} s, since {why}")
    while True:
        time.sleep(seconds)
        yield


def network_disk(folder: Path) -> str | None:
    """Return the file system of a folder that lies on a disk of the network, None of any other folder."""
    above = {str(path) for path in (folder.resolve(), *folder.resolve().parents)}
    disks = [disk for disk in psutil.disk_partitions(all=True) if disk.mountpoint in above]
    if not disks:
        return None
    # of disks that are mounted over each other, the last hides the others
    nearest = max(reversed(disks), key=lambda disk: len(disk.mountpoint))
    is_remote = nearest.fstype.lower() in REMOTE or nearest.fstype.startswith("fuse.")
    return nearest.fstype if is_remote or "remote" in nearest.opts.split(",") else None
