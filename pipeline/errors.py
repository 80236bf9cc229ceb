"""The two ways a run can end early: the input is wrong, or the run could not go on."""


class InputError(ValueError):
    """Input that cannot give a right result; the message says what was found, expected and to be done."""


class RunError(RuntimeError):
    """A run that could not be finished (a damaged chunk, a full disk); what it left is no result."""
