"""Prometheus metrics of one worker; docs/metrics.md lists them for operators."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_FAST_S = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2)
_SLOW_S = (0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 60, 300, 3600)


class Metrics:
    """All metrics, on a registry of their own, so that several workers can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.camera_up = Gauge(
            "ngatu_camera_up", "1 while frames of the camera arrive", ["camera"], registry=r
        )
        self.camera_moved = Gauge(
            "ngatu_camera_moved",
            "1 while the picture does not fit the camera's scene",
            ["camera"],
            registry=r,
        )
        self.camera_unjudged = Gauge(
            "ngatu_camera_unjudged",
            "1 while the camera is not judged: its scene file could not be used when the worker started",
            ["camera"],
            registry=r,
        )
        self.camera_reconnects = Gauge(
            "ngatu_camera_reconnects",
            "Connections made anew since the worker started",
            ["camera"],
            registry=r,
        )
        self.clock_offset = Gauge(
            "ngatu_camera_clock_offset_seconds", "Camera's clock minus host's clock", ["camera"], registry=r
        )
        self.clock_uncertainty = Gauge(
            "ngatu_camera_clock_uncertainty_seconds", "Uncertainty of capture times", ["camera"], registry=r
        )
        self.ring_seconds = Gauge(
            "ngatu_camera_ring_seconds", "Encoded video held for evidence", ["camera"], registry=r
        )
        self.ring_bytes = Gauge(
            "ngatu_camera_ring_bytes", "Encoded video held for evidence", ["camera"], registry=r
        )
        self.frames = Counter(
            "ngatu_frames_total",
            "Frames: received (encoded), decoded, handed over, dropped (for a newer one), analysed",
            ["camera", "stage"],
            registry=r,
        )
        self.inference = Histogram(
            "ngatu_inference_seconds", "Detector time of one run", buckets=_FAST_S, registry=r
        )
        self.cpu = Counter(
            "ngatu_cpu_seconds_total",
            "Processor time by stage: infer, observe (tracks, signals), judge (rules)",
            ["stage"],
            registry=r,
        )
        self.frame_latency = Histogram(
            "ngatu_frame_latency_seconds", "From capture to judged", ["camera"], buckets=_SLOW_S, registry=r
        )
        self.hits = Counter("ngatu_hits_total", "Acts seen by rules", ["camera", "rule"], registry=r)
        self.shadow_hits = Counter(
            "ngatu_shadow_hits_total", "Acts seen by rules on trial", ["camera", "rule"], registry=r
        )
        self.doubted = Counter(
            "ngatu_hits_doubted_total",
            "Acts that were not told because the picture did not fit the camera's scene",
            ["camera", "rule"],
            registry=r,
        )
        self.evidence_queue = Gauge("ngatu_evidence_queue", "Acts that wait for their evidence", registry=r)
        self.evidence_seconds = Histogram(
            "ngatu_evidence_seconds", "Time to make one bundle", buckets=_SLOW_S, registry=r
        )
        self.evidence_missing = Counter(
            "ngatu_evidence_missing_total", "Parts of evidence that could not be had", ["role"], registry=r
        )
        self.acts = Counter(
            "ngatu_acts_total",
            "Acts told, by type: violation.candidate (whole), violation.incomplete, security.incident",
            ["rule", "type"],
            registry=r,
        )
        self.acts_missing = Counter(
            "ngatu_acts_missing_total",
            "Parts of a whole record that acts lacked; an act may lack several",
            ["rule", "part"],
            registry=r,
        )
        self.plates = Counter(
            "ngatu_plates_total",
            "Plates of vehicles in acts: legible, not_legible (read, not surely), not_found, not_read",
            ["outcome"],
            registry=r,
        )
        self.plate_seconds = Histogram(
            "ngatu_plate_seconds",
            "Time to read one plate, waiting for its turn included",
            buckets=_SLOW_S,
            registry=r,
        )
        self.evidence_bytes = Gauge("ngatu_evidence_bytes", "Evidence on this box's disk", registry=r)
        self.evidence_removed = Counter(
            "ngatu_evidence_removed_total",
            "Bundles of sent acts removed: for their age, or for room before their time",
            ["reason"],
            registry=r,
        )
        self.tracks_bytes = Gauge("ngatu_tracks_bytes", "Stored tracks on this box's disk", registry=r)
        self.tracks_frames = Counter(
            "ngatu_tracks_frames_total",
            "Frames whose tracks were stored, or refused (the disk was full, or too slow)",
            ["camera", "outcome"],
            registry=r,
        )
        self.outbox_events = Gauge("ngatu_outbox_events", "Events not yet acknowledged", registry=r)
        self.outbox_bytes = Gauge("ngatu_outbox_bytes", "Size of the outbox on disk", registry=r)
        self.outbox_oldest = Gauge(
            "ngatu_outbox_oldest_seconds", "Age of the oldest event not yet acknowledged", registry=r
        )
        self.outbox_aside = Gauge(
            "ngatu_outbox_set_aside", "Events that the broker never takes, or that cannot be read", registry=r
        )
        self.events_refused = Counter(
            "ngatu_events_refused_total", "Events the full outbox refused", ["type"], registry=r
        )
        self.events = Counter("ngatu_events_total", "Events written to the outbox", ["type"], registry=r)
        self.events_acknowledged = Counter(
            "ngatu_events_acknowledged_total", "Events the broker has acknowledged", ["type"], registry=r
        )
        self.kafka_connected = Gauge("ngatu_kafka_connected", "1 while the broker answers", registry=r)
        self.event_latency = Histogram(
            "ngatu_event_latency_seconds",
            "From the moment an event tells of to the broker's acknowledgement",
            ["type"],
            buckets=_SLOW_S,
            registry=r,
        )
        self.errors = Counter(
            "ngatu_errors_total", "Errors that were survived, by stage", ["stage"], registry=r
        )

    def count_tracks(self, camera_id: str, outcome: str, frames: int) -> None:
        """Frames of a camera whose tracks were "stored" or "refused"."""
        self.tracks_frames.labels(camera_id, outcome).inc(frames)
