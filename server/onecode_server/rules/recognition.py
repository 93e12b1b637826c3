"""Recognition: a host recognises a home unless an acknowledged report of an exception is in effect."""

from collections.abc import Iterable

from onecode_server.model.recognition_exception import RecognitionException


def is_in_effect(exception: RecognitionException, now: int) -> bool:
    """Return whether a report counts at ``now``: acknowledged, begun, not ended, not withdrawn."""
    acknowledged, withdrawn = exception.acknowledged_at, exception.withdrawn_at
    return (
        acknowledged is not None
        and acknowledged <= now
        and (withdrawn is None or withdrawn > now)
        and exception.effective_from <= now < exception.effective_until
    )


def suspension(
    exceptions: Iterable[RecognitionException], host: str, home: str, now: int
) -> RecognitionException | None:
    """Return the report under which ``host`` does not recognise ``home`` at ``now``, or None."""
    return next((e for e in exceptions if e.host == host and e.home == home and is_in_effect(e, now)), None)
