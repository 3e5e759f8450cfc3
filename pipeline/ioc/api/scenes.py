"""Stills of cameras, and their scenes: look, check, try, save."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from pipeline.ioc.api.access import Asking, With
from pipeline.ioc.desk.scenes import Draft

router = APIRouter(prefix="/api/v1", tags=["scenes"])

CameraId = Annotated[str, Path(max_length=63, pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Drawn(BaseModel):
    """A scene as it is drawn: what the YAML file is to hold."""

    model_config = ConfigDict(extra="forbid")
    data: dict[str, Any]
    version: Number
    """The one that it was drawn from."""

    def draft(self) -> Draft:
        """For the desk."""
        return Draft(self.data, self.version)


class Trial(Drawn):
    """What to try it on."""

    hours: Annotated[float, Field(gt=0, le=24)] = 1.0
    """Of the newest stored tracks."""


class Saved(Drawn):
    """What to save."""

    etag: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the file that was looked at."""
    note: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
    """What was changed, and why."""


@router.get(
    "/cameras/{camera_id}/still",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
def still(camera_id: CameraId, the: With, person: Asking, full: bool = False) -> Response:
    """The newest picture; `full`: in the full size of the camera's recorded stream."""
    jpeg, captured_at = the.boxes.still(person, camera_id, full=full)
    return Response(jpeg, media_type="image/jpeg", headers={"X-Captured-At": captured_at})


@router.get("/scenes/{camera_id}")
def scene(camera_id: CameraId, the: With, person: Asking) -> dict[str, Any]:
    """The scene as it is on the worker, its versions, and the rules that there are."""
    return the.scenes.scene(person, camera_id)


@router.post("/scenes/{camera_id}/check")
def check(camera_id: CameraId, drawn: Drawn, the: With, person: Asking) -> dict[str, Any]:
    """What `ngatu check` says of it, its YAML, what is changed, and its calibration."""
    return the.scenes.check(person, camera_id, drawn.draft())


@router.post("/scenes/{camera_id}/backtest")
def backtest(camera_id: CameraId, trial: Trial, the: With, person: Asking) -> dict[str, Any]:
    """What it would change on the newest stored tracks."""
    return the.scenes.tried(person, camera_id, trial.draft(), trial.hours)


@router.put("/scenes/{camera_id}")
def save(camera_id: CameraId, saved: Saved, the: With, person: Asking) -> dict[str, Any]:
    """Keep it as the next version and put it on the worker; 412 where somebody else was first."""
    return the.scenes.save(person, camera_id, saved.draft(), saved.etag, saved.note)


@router.get("/scenes/{camera_id}/versions/{number}")
def version(
    camera_id: CameraId, number: Annotated[int, Path(ge=1, le=2**31 - 1)], the: With, person: Asking
) -> dict[str, Any]:
    """One version, and what it changed."""
    return the.scenes.version(person, camera_id, number)
