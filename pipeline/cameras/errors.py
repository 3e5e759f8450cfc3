"""What can go wrong with a camera."""


class CameraError(Exception):
    """A camera, its recording or its replay cannot do what was asked; the message says why."""
