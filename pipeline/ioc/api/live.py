"""Server-sent events: new cases and decisions in the caller's areas."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from pipeline.ioc.api.access import Asking, With
from pipeline.ioc.api.security import COOKIE
from pipeline.ioc.config.areas import within
from pipeline.ioc.services import Services

router = APIRouter(prefix="/api/v1", tags=["live"])

HEARTBEAT_S = 10.0


@router.get("/live", response_class=StreamingResponse)
async def live(request: Request, the: With, person: Asking) -> StreamingResponse:
    """`event: new` and `event: decided`, data a case's row; ends with the session."""
    token = request.cookies.get(COOKIE)
    return StreamingResponse(
        _stream(the, token, person.areas), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _stream(the: Services, token: str | None, areas: tuple[str, ...]) -> AsyncIterator[str]:
    queue = the.feed.subscribe()
    loop = asyncio.get_running_loop()
    checked_s = loop.time()
    try:
        yield ": here\n\n"
        while not the.feed.stopped:
            try:
                news = await asyncio.wait_for(queue.get(), HEARTBEAT_S)
            except TimeoutError:
                yield ": still here\n\n"
                news = None
            if loop.time() - checked_s >= HEARTBEAT_S:
                person = await run_in_threadpool(the.accounts.person, token, acting=False)
                if person is None:
                    return
                areas, checked_s = person.areas, loop.time()
            if news is not None and within(news.row.area, areas):
                yield f"event: {news.what}\ndata: {json.dumps(asdict(news.row))}\n\n"
    finally:
        the.feed.unsubscribe(queue)
