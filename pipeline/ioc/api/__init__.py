"""REST under /api/v1, and what every answer of the service carries."""

from pipeline.ioc.api.app import create_api

__all__ = ["create_api"]
