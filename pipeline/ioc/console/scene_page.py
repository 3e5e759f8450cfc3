"""The scene editor: what a camera's picture means, drawn on its still; all of it out of the API."""

from __future__ import annotations

import re

from nicegui import ui
from starlette.responses import RedirectResponse, Response

from pipeline.ioc.console.frame import HERE, frame, run_script, visit
from pipeline.ioc.services import Services

CSS = (HERE / "scene.css").read_text("utf-8")
SCENE = (HERE / "scene.js").read_text("utf-8")
FAMILIES = ("scene_", "rule.", "road_user.", "cameras_moved", "minutes_short")
WORDS = ("cameras",)
CAMERA = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def scene_page(the: Services) -> None:
    """Register it."""

    @ui.page("/cameras/{camera_id}/scene", title="Ngã Tư IOC")
    def scene(camera_id: str) -> Response | None:
        here = visit(the, ("GET", "/api/v1/scenes/{camera_id}"))
        if isinstance(here, Response):
            return here
        if not CAMERA.fullmatch(camera_id):
            return RedirectResponse("/cameras", 303)
        frame(here, "cameras")
        ui.add_css(CSS)
        ui.element("main").classes("scene").props(f'data-camera="{camera_id}"')
        run_script(here, SCENE, FAMILIES, WORDS, ("problems", "notices"))
        return None
