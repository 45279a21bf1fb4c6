"""What the person who runs the server can mend."""

from __future__ import annotations


class OperatorError(Exception):
    """A mistake or a condition the operator can mend; the text is one sentence that says what is wrong and what to do.

    Programs print the text alone, without a traceback, and leave with a status other than zero.
    """
