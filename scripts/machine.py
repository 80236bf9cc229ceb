"""The machine that something was measured on, in one line."""

import os
import platform
import re
from pathlib import Path


def processor() -> str:
    """Return the name of the processor."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        return str(re.findall(r"model name\s*:\s*(.*)", told)[0]).strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def machine() -> str:
    """Return processor, cores and Python of a measurement on one core."""
    return f"{processor()}, {os.cpu_count()} cores, one used; Python {platform.python_version()}."
