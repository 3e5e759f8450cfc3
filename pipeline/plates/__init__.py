"""Reads the plates of vehicles: where they are, what they say, how sure that is, and whether it can be so."""

from pipeline.plates.errors import PlateError
from pipeline.plates.reader import PlateFinder, PlateReader, Sighting

__all__ = ["PlateError", "PlateFinder", "PlateReader", "Sighting"]
