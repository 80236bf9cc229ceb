"""The command `gigaxas`: verbs and what they print."""

from gigaxas.cli.verbs import main

__all__ = ["main"]
