"""The two ways a run can end early: the input is wrong, or the run could not go on."""


class InputError(ValueError):
    """Input that cannot give a right result; the message says what was found, expected and to be done.

    Where several things are wrong, each has a line.
    """


class RunError(RuntimeError):
    """A run that could not be finished (a damaged chunk, a full disk); what it left is no result."""


def unwritable(place: object, error: OSError, what: str = "written") -> RunError:
    """Return the error of a place that the system lets nobody write."""
    return RunError(
        f"{place}: cannot be {what} ({error.strerror or error}); free the disk or its permissions and run "
        "the same command again"
    )


class DamagedError(RunError):
    """A chunk of the store at `place` is not what was written; a store of our own is made whole again."""

    def __init__(self, sentence: str, place: str = "") -> None:
        super().__init__(sentence, place)
        self.place = place

    def __str__(self) -> str:
        return str(self.args[0])
