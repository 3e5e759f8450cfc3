"""From the types inside to the parts of an act's event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.events import schema, schema_law
from pipeline.events.errors import EventsError
from pipeline.events.event import moment
from pipeline.events.schema_base import Box
from pipeline.law import Amendment, InForce, LawEntry, Text
from pipeline.types import EvidenceBundle, FrameTime, MissingItem, PlateReading, TrackPoint


def evidence_block(bundle: EvidenceBundle, evidence_root: Path) -> schema.Evidence:
    """A finished bundle. EventsError when it lies outside the root."""
    try:
        place = bundle.path.relative_to(evidence_root).as_posix()
    except ValueError:
        raise EventsError(f"evidence {bundle.path} is not below the evidence root {evidence_root}") from None
    return schema.Evidence(
        bundle=place,
        manifest_sha256=bundle.manifest_sha256,
        signature_key_id=bundle.signature_key_id,
        items=tuple(
            schema.EvidenceFile(
                role=item.role,
                file=item.file,
                media_type=item.media_type,
                size_bytes=item.size_bytes,
                sha256=item.sha256,
                captured_at=None if item.captured_at_s is None else moment(item.captured_at_s),
            )
            for item in bundle.items
        ),
        missing=_missing(bundle.missing),
    )


def no_evidence(missing: Sequence[MissingItem]) -> schema.Evidence:
    """No bundle, and why."""
    return schema.Evidence(
        bundle=None, manifest_sha256=None, signature_key_id=None, items=(), missing=_missing(missing)
    )


def plate_block(reading: PlateReading) -> schema.Plate:
    """What became of the vehicle's plate."""
    return schema.Plate(
        outcome=reading.outcome,
        text=reading.text,
        lines=reading.lines,
        voted=reading.voted,
        confidence=reading.confidence,
        legible=reading.legible,
        form=reading.form,
        province=reading.province,
        color=reading.color,
        sights=tuple(
            schema.PlateSight(
                captured_at=moment(sight.captured_at_s),
                box=box(sight.box),
                lines=sight.lines,
                confidence=sight.confidence,
                char_px=sight.char_px,
            )
            for sight in reading.sights
        ),
        reason=reading.reason,
        cause=reading.cause,
    )


def law_block(law: InForce) -> schema_law.Law:
    """What the catalogue of laws says."""
    return schema_law.Law(
        on=law.on,
        entries=tuple(entry_block(entry) for entry in law.entries),
        reason=law.reason,
        verified=law.verified,
        details=schema_law.LawDetails(
            over_kmh=law.details.over_kmh,
            passengers=law.details.passengers,
            motorway=law.details.motorway,
        ),
    )


def entry_block(entry: LawEntry) -> schema_law.LawEntry:
    """One entry of the catalogue."""
    return schema_law.LawEntry(
        decree=entry.decree,
        article=entry.article,
        clause=entry.clause,
        point=entry.point,
        citation=entry.citation,
        title=_title(entry.title),
        fine_vnd=entry.fine_vnd,
        licence_points=entry.licence_points,
        effective_from=entry.effective_from,
        effective_to=entry.effective_to,
        source=entry.source,
        verified=entry.verified,
        amended_by=tuple(_amendment(amendment) for amendment in entry.amended_by),
        note=None if entry.note is None else _title(entry.note),
    )


def _amendment(amendment: Amendment) -> schema_law.LawAmendment:
    return schema_law.LawAmendment(
        decree=amendment.decree,
        effective_from=amendment.effective_from,
        figures="seen" if amendment.figures_seen else "not_seen",
        note=_title(amendment.note),
    )


def _title(text: Text) -> schema_law.Title:
    return schema_law.Title(vi=text.vi, en=text.en)


def time_block(time: FrameTime) -> schema.Time:
    """How far a time can be trusted."""
    return schema.Time(
        source=time.source,
        offset_ms=round(time.offset_ms, 3),
        uncertainty_ms=round(time.uncertainty_ms, 3),
    )


def sighting(point: TrackPoint) -> schema.Sighting:
    """The road user at one moment."""
    return schema.Sighting(captured_at=moment(point.time_s), box=box(point.box))


def box(edges: tuple[float, float, float, float]) -> Box:
    """A box as events tell it: to a hundred-thousandth of the picture."""
    left, top, right, bottom = (round(float(edge), 5) for edge in edges)
    return left, top, right, bottom


def _missing(parts: Sequence[MissingItem]) -> tuple[schema.MissingEvidence, ...]:
    return tuple(schema.MissingEvidence(role=part.role, reason=part.reason) for part in parts)
