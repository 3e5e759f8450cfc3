"""Pictures of the synthetic city, with the truth of what can be seen in them."""

from pipeline.sim.camera import homography, project
from pipeline.sim.render.renderer import Rendered, Renderer
from pipeline.sim.render.view import lamp_boxes

__all__ = ["Rendered", "Renderer", "homography", "lamp_boxes", "project"]
