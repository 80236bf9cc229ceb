"""Text on the screen: names as they are, brackets too, on a terminal of any encoding."""

import codecs
import sys
import unicodedata

from rich.console import Console
from rich.text import Text

PLAIN = str.maketrans({"μ": "u", "±": "+-", "×": "x", "–": "-", "—": "-", "━": "-", "╸": "-", "╺": "-"})
"""What stands for characters that no decomposition makes plain."""

# Lines are not cut where the output goes to a file or a pipe.
WIDTH = None if sys.stdout.isatty() else 120
out = Console(highlight=False, markup=False, emoji=False, width=WIDTH)
err = Console(stderr=True, highlight=False, markup=False, emoji=False)


def show_plainly() -> None:
    """Let a terminal that does not know a character show a plain one in its place."""
    codecs.register_error("gigaxas-plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="gigaxas-plain")


def show_error(message: object) -> None:
    """Print what ended a run, a line for everything that is wrong."""
    for line in str(message).splitlines():
        err.print(Text.assemble(("error", "red"), f"  {line}"), soft_wrap=True)


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    shown = map(_plain_character, error.object[error.start : error.end])
    return "".join(shown), error.end


def _plain_character(character: str) -> str:
    decomposed = unicodedata.normalize("NFKD", character).translate(PLAIN)
    return decomposed.encode("ascii", "ignore").decode() or "?"
