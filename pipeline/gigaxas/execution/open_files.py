"""How many files a process may hold open: macOS and some shells begin with 256, an image stack has more."""

import contextlib
import sys

WANTED = 8192


def allow_open_files() -> None:
    """Let this process, and those that it starts, hold WANTED files open, or as many as the system allows."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if 0 <= soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
