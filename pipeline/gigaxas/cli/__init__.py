"""The command `gigaxas`: verbs and what they print."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command; Ctrl-C while it is still being loaded ends it in a word too."""
    try:
        from gigaxas.cli import verbs
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    verbs.main()
