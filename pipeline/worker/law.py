"""What the law said of an act when it was done: the catalogue asked with what the rule and the scene know."""

from __future__ import annotations

from pipeline.evidence import LawNote, LawPoint
from pipeline.law import Catalogue, Details, InForce
from pipeline.rules.motorway_intruder import PURPOSE as MOTORWAY
from pipeline.scene import Scene, geometry
from pipeline.types import Hit


def law_of(hit: Hit, scene: Scene | None, catalogue: Catalogue) -> InForce | None:
    """The entries in force at the decisive moment; None for security incidents."""
    if hit.concern == "security":
        return None
    return catalogue.in_force(hit.rule, hit.kind, hit.at.time_s, details(hit, scene))


def law_note(law: InForce) -> LawNote:
    """The same as the composite tells it."""
    points = tuple(
        LawPoint(entry.citation, (entry.title.vi, entry.title.en), entry.fine_vnd, entry.licence_points)
        for entry in law.entries
    )
    amended = {
        each.decree: each.effective_from
        for entry in law.entries
        for each in entry.amended_by
        if not each.figures_seen
    }
    notes = [f"NĐ {decree} sửa đổi từ {since:%d/%m/%Y}, chưa có số liệu" for decree, since in amended.items()]
    if len(points) > 1:
        notes.append(f"chưa đủ căn cứ chọn 1 trong {len(points)} điều khoản")
    return LawNote(points, law.verified, "; ".join(notes))


def details(hit: Hit, scene: Scene | None) -> Details:
    """What decides between the points of an act: speed and riders by the rule, motorway by the scene.

    A place is a motorway where the scene has a zone with that purpose, and none elsewhere; without a scene
    that is not known.
    """
    speed_kmh, limit_kmh, riders = (hit.facts.get(name) for name in ("speed_kmh", "limit_kmh", "riders"))
    over_kmh, passengers = None, None
    if speed_kmh is not None and limit_kmh is not None:
        over, uncertain = speed_kmh - limit_kmh, hit.facts.get("uncertainty_kmh", 0.0)
        over_kmh = (round(over - uncertain, 1), round(over + uncertain, 1))
    if riders is not None:
        passengers = riders - 1
    motorway = (
        None
        if scene is None
        else any(
            zone.purpose == MOTORWAY and geometry.inside(hit.at.ground, zone.polygon)
            for zone in scene.settings.zones
        )
    )
    return Details(over_kmh, passengers, motorway)
