"""A bundle that the worker's own code made and signed, with the event that goes with it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config import CameraSettings, StreamSettings
from pipeline.events.build import build_act, with_evidence, with_plate
from pipeline.events.event import Event
from pipeline.evidence import SigningKey
from pipeline.ioc.ingest.writer import Batch, Writer
from pipeline.law.load import load_law
from pipeline.types import Hit, PlateSight
from tests.events import examples
from tests.evidence.conftest import make_hit, make_maker
from tests.evidence.film import FilmRecording, shoot
from tests.ioc.acts import parsed
from tests.ioc.office import Office

CAMERA = CameraSettings(
    id="giang-vo-1",
    name="Ngã tư Bình Minh",
    place="QL22B, Hòa Thành",
    detect=StreamSettings(url="rtsp://10.0.0.9/live"),
)


@dataclass(frozen=True)
class RealCase:
    event: Event
    root: Path
    """The worker's evidence folder."""
    key: SigningKey

    def into(self, ioc: Office) -> str:
        """The case and a copy of its evidence; returns its id."""
        shutil.copytree(self.root, ioc.folder / "evidence", dirs_exist_ok=True)
        Writer(ioc.the.database, ioc.the.areas).write(Batch([parsed(self.event)]))
        return self.event.id

    def folder(self, ioc: Office) -> Path:
        return ioc.folder / "evidence" / str(self.event.data["evidence"]["bundle"])


def film_case(folder: Path) -> RealCase:
    hit: Hit = make_hit()
    law = load_law().in_force(hit.rule, hit.kind, hit.at.time_s)
    key = SigningKey.load_or_create(folder / "data")
    event = build_act(
        hit, CAMERA, examples.ORIGIN, missing=[examples.NOT_FINISHED], law=law, plate=examples.NO_PLATE
    )
    maker = make_maker(folder / "evidence", key)
    bundle = maker.make(hit, event.id, FilmRecording(shoot()), CAMERA)
    at_s = next(item.captured_at_s for item in bundle.items if item.role == "at")
    assert at_s is not None
    sight = PlateSight(at_s, (0.42, 0.5, 0.5, 0.58), ("70-P2", "313.16"), 0.97, 18.5)
    plate = replace(examples.PLATE, text="70P231316", lines=("70P2", "31316"), sights=(sight,))
    event = with_plate(with_evidence(event, bundle, folder / "evidence"), plate)
    return RealCase(event, folder / "evidence", key)
