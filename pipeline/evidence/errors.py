"""The room's one exception."""


class EvidenceError(Exception):
    """Evidence or its key cannot be written, read or trusted; the message says what and what to do."""
