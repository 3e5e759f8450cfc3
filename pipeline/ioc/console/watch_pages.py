"""The wall and the cameras: pages that stay open for days.

They are drawn in the browser out of the API: the service keeps nothing for them, and what they may show is
decided by the API alone.
"""

from __future__ import annotations

from typing import Any

from nicegui import ui
from starlette.responses import Response

from pipeline.ioc.config.areas import within
from pipeline.ioc.console.frame import HERE, Visit, frame, run_script, visit
from pipeline.ioc.people import may
from pipeline.ioc.services import Services

CSS = (HERE / "wall.css").read_text("utf-8") + (HERE / "scene.css").read_text("utf-8")
WALL, CAMERAS = ((HERE / f"{name}.js").read_text("utf-8") for name in ("wall", "cameras"))
FAMILIES = (
    "rule.",
    "road_user.",
    "camera_state.",
    "state.",
    "wall_",
    "cameras_",
    "per_hour",
    "minutes_",
    "hours_",
)
WORDS = ("camera", "area", "state", "days", "not_yours")


def watch_pages(the: Services) -> None:
    """Register both."""

    @ui.page("/wall", title="Ngã Tư IOC")
    def wall() -> Response | None:
        return _draw(visit(the, ("GET", "/api/v1/wall")), "wall", WALL)

    @ui.page("/cameras", title="Ngã Tư IOC")
    def cameras() -> Response | None:
        return _draw(visit(the, ("GET", "/api/v1/cameras")), "cameras", CAMERAS)


def _draw(here: Visit | Response, name: str, script: str) -> Response | None:
    if isinstance(here, Response):
        return here
    frame(here, name)
    ui.add_css(CSS)
    ui.element("main").classes("wall" if name == "wall" else "cams")
    run_script(here, script, FAMILIES, WORDS, ("notices",), **_given(here))
    return None


def _given(here: Visit) -> dict[str, Any]:
    """What the script needs beside the API and texts: names of the person's areas, the map's background."""
    settings = here.the.config.map
    return {
        "areas": {
            path: name for path, name in here.the.areas.names.items() if within(path, here.person.areas)
        },
        "sees": may(here.person.role, "GET", "/api/v1/cases"),
        "draws": may(here.person.role, "PUT", "/api/v1/scenes/{camera_id}"),
        "map": {
            "tiles": settings.tiles,
            "attribution": settings.attribution,
            "lines": here.the.display.lines,
        },
    }
