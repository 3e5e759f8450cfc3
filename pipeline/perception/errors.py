"""What perception raises."""


class PerceptionError(Exception):
    """A model cannot be had or used; one sentence: which, what is wrong, what to do."""
