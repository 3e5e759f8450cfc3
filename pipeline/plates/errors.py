"""What can go wrong with reading plates."""


class PlateError(Exception):
    """Plates cannot be read at all; the message says why and what to do."""
