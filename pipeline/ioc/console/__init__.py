"""The officers' pages: login, queue, case. Every act asks the desk, which asks who may."""

from pipeline.ioc.console.mount import mount_console

__all__ = ["mount_console"]
