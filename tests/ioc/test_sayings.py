"""What workers say of their cameras is told in Vietnamese."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

import pipeline
from pipeline.ioc.console.texts import Texts

SAID = yaml.safe_load(Path(__file__).with_name("said_by_workers.yaml").read_text("utf-8"))


def said(text: str) -> str:
    """As live.js does: JavaScript's regular expressions are Python's here."""
    for pattern, words in Texts("vi").sayings("notices"):
        found = re.match(pattern, text, re.DOTALL)
        if found is None:
            continue
        rest = text[found.end() :]
        told = found.expand(re.sub(r"\$(\d)", r"\\\1", words))
        return told + rest[:2] + said(rest[2:]) if rest.startswith((": ", "; ")) else told + rest
    return text


def test_each_sentence_of_a_worker_is_told_in_vietnamese() -> None:
    sources = Path(pipeline.__file__).parent
    for module, words, sentence in SAID:
        assert words in (sources / module).read_text("utf-8"), (module, words)
        told = said(sentence.format(words))
        english = set(re.findall(r"\b(?:the|is|was|not|no|its|and|of|set|check|has)\b", told))
        assert not english, told
        assert told != sentence.format(words)


def test_what_nobody_translated_stays_as_it_is_and_english_needs_nothing() -> None:
    assert said("something new: the camera sings") == "something new: the camera sings"
    assert said("rtsp://c1 failed: it sings") == "rtsp://c1 bị lỗi: it sings"
    assert Texts("en").sayings("notices", "problems") == []
