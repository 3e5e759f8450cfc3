"""What leaves the house: lists of cases, a case's evidence, copies without bystanders, notices."""


class ExportError(Exception):
    """It cannot be taken out so; the message says why."""
