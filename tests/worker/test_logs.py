"""What stands in the log, on a terminal and elsewhere."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from pipeline.worker.logs import configure_logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, own = list(root.handlers), root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**own)


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()], ids=["terminal", "file"])
def test_a_traceback_shows_where_it_was_and_no_secret(stream: io.StringIO) -> None:
    configure_logs(stream=stream)
    password = "".join(("hun", "ter2"))
    for logger in (structlog.get_logger("own"), logging.getLogger("foreign")):
        try:
            raise AttributeError("no such thing" if password else "")
        except AttributeError:
            logger.exception("connecting_failed")
    said = stream.getvalue()
    assert said.count("AttributeError") >= 2
    assert said.count("test_a_traceback_shows_where_it_was") == 2
    assert password not in said
