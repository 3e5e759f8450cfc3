"""What goes wrong in the synthetic city."""


class SimError(Exception):
    """A city that cannot be built, drawn or served; the message says what to change."""
