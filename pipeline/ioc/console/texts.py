"""Texts of the console, in Vietnamese and English, from the catalogue beside this file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import yaml

Language = Literal["vi", "en"]
CATALOGUE = Path(__file__).with_name("texts.yaml")


@cache
def catalogue() -> dict[str, tuple[str, str]]:
    """Key to Vietnamese and English."""
    raw = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    return {key: (vi, en) for key, (vi, en) in raw.items()}


@cache
def _sayings(name: str) -> list[tuple[str, str]]:
    """NAME.yaml: patterns of what checker and workers say in English, and their Vietnamese."""
    raw = yaml.safe_load(CATALOGUE.with_name(f"{name}.yaml").read_text(encoding="utf-8"))
    return [(pattern, words) for pattern, words in raw]


class Texts:
    """The catalogue in one language."""

    def __init__(self, language: str) -> None:
        self.language: Language = "en" if language == "en" else "vi"
        self._index = 1 if language == "en" else 0

    def __call__(self, key: str) -> str:
        """A text of the catalogue."""
        return catalogue()[key][self._index]

    def sayings(self, *names: str) -> list[tuple[str, str]]:
        """What those files translate, for live.js; nothing in English."""
        return [one for name in names for one in _sayings(name)] if self.language == "vi" else []

    def named(self, family: str, word: str, fallback: str | None = None) -> str:
        """The name of a rule, state, vehicle ...; a word that the catalogue lacks stands for itself, or for
        the `fallback`."""
        found = catalogue().get(f"{family}.{word}")
        if found:
            return found[self._index]
        return word.replace("_", " ") if fallback is None else fallback

    def both(self, pair: object, fallback: str = "") -> str:
        """A text that came in both languages, as {vi: ..., en: ...}."""
        if isinstance(pair, dict) and isinstance(pair.get(self.language), str):
            return str(pair[self.language])
        return pair if isinstance(pair, str) else fallback
