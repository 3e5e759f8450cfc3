"""The script: who breaks which law when, and who only looks like it."""

from __future__ import annotations

from pipeline.sim.acts.script import Script, possible

__all__ = ["Script", "possible"]
