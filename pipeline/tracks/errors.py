"""What goes wrong with stored tracks."""


class TracksError(Exception):
    """Stored tracks cannot be read or written; the message says which file and what to do."""
