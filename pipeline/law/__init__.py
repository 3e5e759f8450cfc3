"""What the law says of an act: article, fine and points, by vehicle and date. Read from files in `load`."""

from pipeline.law.catalogue import Amendment, Band, Catalogue, Details, InForce, LawEntry, Text

__all__ = [
    "Amendment",
    "Band",
    "Catalogue",
    "Details",
    "InForce",
    "LawEntry",
    "Text",
]
