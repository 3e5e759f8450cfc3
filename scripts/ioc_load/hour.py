"""Watch the wall for an hour: `.venv/bin/python -m scripts.ioc_load.hour --minutes 60`.

The whole service over an outbox, into which a town's five cameras tell acts, traffic and health as they come;
a real Chromium shows the wall, at its own pace. Prints what the page and the service hold; exit code 1 where
the page has grown, was loaded anew, failed, or shows another count than was told.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

from tests.ioc import town
from tests.ioc.test_console import CHROMIUM, SWITCHES, Station, log_in

EVERY_S = 2.0
"""An act of some camera comes so often in the mean: at ten times a busy crossing's rate."""
SAMPLE_S = 60.0
GROWTH_BYTES = 2_000_000
GROWTH_SHARE = 1.25
LEVELS = "ABCDEF"


def main() -> None:
    """Feed, watch, judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--picture", type=Path, help="write the wall as it looks in the end to this PNG")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ngatu-hour-") as folder, sync_playwright() as playwright:
        places = {camera: list(place) for camera, (_, _, place) in town.CAMERAS.items()}
        station = Station(Path(folder), map={"cameras": places})
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        try:
            page = log_in(browser, station, "lan", "supervisor")
            page.set_viewport_size({"width": 1920, "height": 1080})
            wrong = watch(station, page, options.minutes * 60)
            if options.picture is not None:
                page.screenshot(path=options.picture)
        finally:
            browser.close()
            station.process.terminate()
            station.process.wait(timeout=20)
            station.outbox.close()
            station.office.the.database.close()
    print("; ".join(wrong) if wrong else "it has not grown, was not loaded anew, and shows what was told")
    sys.exit(bool(wrong))


def watch(station: Station, page: Page, seconds: float) -> list[str]:
    """Feed the service for so long; returns what is wrong with the page."""
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(f"the page failed: {error}"))
    page.goto(f"{station.url}/wall")
    page.wait_for_selector("[data-tile=violations] .v")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    draw, began = random.Random(1), time.monotonic()
    loaded = page.evaluate("performance.timeOrigin")
    told, samples = 0, list[dict[str, float]]()
    next_act_s, next_sample_s = 0.0, SAMPLE_S
    while (now_s := time.monotonic() - began) < seconds:
        if now_s >= next_act_s:
            camera, rule = draw.choice(list(town.CAMERAS)), draw.choice(list(town.RULES))
            station.outbox.put(town.act(camera, rule, time.time() - 1, told, None))
            told += 1
            next_act_s += draw.expovariate(1 / EVERY_S)
        if now_s >= next_sample_s:
            for name in town.CAMERAS:
                vehicles, speed_kmh = draw.randrange(10, 60), draw.uniform(15, 45)
                minute_s = time.time() // 60 * 60 - 60
                station.outbox.put(town.flow(name, minute_s, vehicles, speed_kmh, draw.choice(LEVELS)))
            samples.append(held(devtools) | {"service_mb": _rss_mb(station.process.pid), "told": told})
            print(
                f"{now_s / 60:5.1f} min:",
                " ".join(f"{k} {v:.0f}" for k, v in samples[-1].items()),
                flush=True,
            )
            next_sample_s += SAMPLE_S
        page.wait_for_timeout(100)
    page.wait_for_timeout(8000)  # a round of the wall after the last act
    wrong = failures
    shown = int(re.sub(r"\D", "", page.inner_text("[data-tile=violations] .v")))
    # At midnight of Vietnam's time the wall begins anew.
    if shown != told and time.time() - town_midnight_s() > seconds + 60:
        wrong.append(f"{told} acts were told and {shown} are shown")
    if page.evaluate("performance.timeOrigin") != loaded:
        wrong.append("the page was loaded anew")
    part = max(1, len(samples) // 6)
    for name, more in (("nodes", 300.0), ("listeners", 60.0), ("heap", GROWTH_BYTES)):
        first, last = (min(one[name] for one in some) for some in (samples[:part], samples[-part:]))
        print(f"{name}: {first:.0f} in the first {part} min, {last:.0f} in the last")
        if last > first * (GROWTH_SHARE if name == "nodes" else 1.0) + more:
            wrong.append(f"{name} grew from {first:.0f} to {last:.0f}")
    return wrong


def held(devtools: CDPSession) -> dict[str, float]:
    """What the page holds once its garbage is collected."""
    devtools.send("HeapProfiler.collectGarbage")
    answer: dict[str, Any] = devtools.send("Performance.getMetrics")
    metrics = {one["name"]: float(one["value"]) for one in answer["metrics"]}
    return {
        "nodes": metrics["Nodes"],
        "listeners": metrics["JSEventListeners"],
        "heap": metrics["JSHeapUsedSize"],
    }


def town_midnight_s() -> float:
    """The last midnight of Vietnam's time."""
    return (time.time() + 7 * 3600) // 86400 * 86400 - 7 * 3600


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    main()
