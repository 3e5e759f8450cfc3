"""The citizens' lookup: for a portal or a chat channel to call, without a login; off unless configured."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.concurrency import run_in_threadpool

from pipeline.ioc.api.access import With
from pipeline.ioc.api.accounts import address_of
from pipeline.ioc.store import clock

router = APIRouter(prefix="/api/v1", tags=["citizens"])

FLOOR_S = 0.1
"""No answer comes sooner: how long a search took tells nothing about what it passed over."""


@router.get("/citizens/cases")
async def confirmed(
    request: Request,
    the: With,
    plate: Annotated[str, Query(min_length=4, max_length=20)],
    vehicle: Literal["bicycle", "motorbike", "car", "bus", "truck"],
) -> dict[str, list[dict[str, Any]]]:
    """Confirmed cases of a plate and kind of vehicle. None and none that may be told look alike."""
    if not the.config.citizens.enabled:
        raise HTTPException(404, "Not Found")
    now_ms = clock.now_ms()
    for limit, who in ((the.citizens.per_address, address_of(request)), (the.citizens.overall, "all")):
        if not limit.take(who, now_ms):
            raise HTTPException(429, "too many questions; ask again later", {"Retry-After": "60"})
    loop = asyncio.get_running_loop()
    told_s = loop.time() + FLOOR_S
    cases = await run_in_threadpool(the.citizens.confirmed, plate, vehicle)
    await asyncio.sleep(told_s - loop.time())
    return {"cases": cases}
