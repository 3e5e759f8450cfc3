"""Asks workers for what only they have: stills, scene files, checks against their model, back-tests.

Only hosts that the configuration names are asked, no redirect is followed, and what comes is bounded.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import requests
import structlog

from pipeline.ioc.config import AreaTree
from pipeline.ioc.config.areas import within
from pipeline.ioc.config.workers import WorkerAccess
from pipeline.ioc.people import Person

log = structlog.get_logger(__name__)

LIST_S = 5.0
"""Which worker has which camera is asked anew after this time."""
STILL_S = 2.0
"""A still is shown again for this time, so that many screens cost what one does."""
KEPT_STILLS = 64
NEVER_S = float("-inf")
CONNECT_S, ANSWER_S, TRIAL_S = 2.0, 8.0, 100.0
MOST_BYTES = 12_000_000

Method = Literal["GET", "POST", "PUT"]


class CameraError(Exception):
    """A worker that cannot be asked, or refuses; the message says which camera and why."""

    def __init__(self, status: int, kind: str, text: str) -> None:
        """`status`: how the API answers; `kind`: a word for programs."""
        super().__init__(text)
        self.status, self.kind = status, kind


class Boxes:
    """The workers that the configuration names. Threads may share it."""

    def __init__(self, workers: Sequence[WorkerAccess], areas: AreaTree) -> None:
        self._workers, self._areas = tuple(workers), areas
        self._known: dict[str, tuple[WorkerAccess, dict[str, Any]]] = {}
        self._listed_s = NEVER_S
        self._asking = False
        self._stills: OrderedDict[str, tuple[float, tuple[bytes, str]]] = OrderedDict()
        self._lock = threading.Lock()

    def offered(self) -> set[str]:
        """Cameras that some worker offered when last asked; asks anew beside, for whoever calls next."""
        if self._listed_s == NEVER_S:
            return set(self._list())
        with self._lock:
            stale = self._workers and not self._asking and time.monotonic() - self._listed_s > LIST_S
            self._asking = self._asking or bool(stale)
            known = set(self._known)
        if stale:
            threading.Thread(target=self._list, name="workers", daemon=True).start()
        return known

    def told(self, person: Person, camera_id: str) -> dict[str, Any]:
        """What its worker says of a camera now. Raises CameraError."""
        return self._of(person, camera_id, fresh=True)[1]

    def still(self, person: Person, camera_id: str, *, full: bool) -> tuple[bytes, str]:
        """JPEG, and when it was taken (epoch seconds). Raises CameraError."""
        worker, _ = self._of(person, camera_id)
        key = f"{camera_id} {full}"
        with self._lock:
            kept = self._stills.get(key)
        if kept is not None and time.monotonic() - kept[0] < STILL_S:
            return kept[1]
        answer = self._ask(worker, "GET", f"{camera_id}/still{'?full=1' if full else ''}")
        if not answer.content.startswith(b"\xff\xd8"):
            raise CameraError(502, "nonsense", f"the worker of camera {camera_id} sends no picture")
        found = answer.content, answer.headers.get("X-Captured-At", "")[:20]
        with self._lock:
            self._stills[key] = (time.monotonic(), found)
            self._stills.move_to_end(key)
            while len(self._stills) > KEPT_STILLS:
                self._stills.popitem(last=False)
        return found

    def scene(self, person: Person, camera_id: str) -> str:
        """The scene file as it is on the worker. Raises CameraError."""
        # Not `.text`: that guesses the encoding, and takes a few Vietnamese letters for Japanese.
        answer = self._ask(self._of(person, camera_id)[0], "GET", f"{camera_id}/scene")
        return answer.content.decode("utf-8", "replace")

    def findings(self, person: Person, camera_id: str, text: str) -> list[dict[str, Any]]:
        """What the worker's `ngatu check` says of a scene: its model, its stream. Raises CameraError."""
        answer = self._ask(self._of(person, camera_id)[0], "POST", f"{camera_id}/check", text)
        found: list[dict[str, Any]] = _json(answer)["findings"]
        return found

    def tried(self, person: Person, camera_id: str, text: str, hours: float) -> dict[str, Any]:
        """What a scene would change on stored tracks. Raises CameraError."""
        worker, _ = self._of(person, camera_id)
        path = f"{camera_id}/backtest?hours={hours:g}"
        return _json(self._ask(worker, "POST", path, text, wait_s=TRIAL_S))

    def put(self, person: Person, camera_id: str, text: str, instead_of: str) -> None:
        """Put a scene file in place of the one whose SHA-256 is given. Raises CameraError."""
        self._ask(self._of(person, camera_id)[0], "PUT", f"{camera_id}/scene", text, if_match=instead_of)

    def _of(
        self, person: Person, camera_id: str, *, fresh: bool = False
    ) -> tuple[WorkerAccess, dict[str, Any]]:
        found = self._list(fresh=fresh).get(camera_id)
        if found is None or not within(self._areas.area_of(camera_id), person.areas):
            raise CameraError(404, "not_offered", "no worker that answers offers such a camera to you")
        return found

    def _list(self, *, fresh: bool = False) -> dict[str, tuple[WorkerAccess, dict[str, Any]]]:
        if not self._workers:
            return {}
        with self._lock:
            if not fresh and time.monotonic() - self._listed_s < LIST_S:
                return self._known
        with ThreadPoolExecutor(max_workers=min(16, len(self._workers))) as pool:
            lists = list(pool.map(self._cameras_of, self._workers))
        answers = list(zip(self._workers, lists, strict=True))
        silent = [worker for worker, cameras in answers if cameras is None]
        # They had these when they last answered: whoever asks for one is told that its worker does not. One
        # that was moved since to a worker that answers is that one's.
        found = {camera_id: known for camera_id, known in self._known.items() if known[0] in silent}
        for worker, cameras in answers:
            found |= {camera["id"]: (worker, camera) for camera in cameras or ()}
        with self._lock:
            self._known, self._listed_s, self._asking = found, time.monotonic(), False
        return found

    def _cameras_of(self, worker: WorkerAccess) -> list[dict[str, Any]] | None:
        try:
            listed: list[dict[str, Any]] = self._ask(worker, "GET", "").json()
            return [camera for camera in listed if isinstance(camera.get("id"), str)]
        except (CameraError, ValueError, AttributeError, TypeError) as error:
            log.warning("worker_not_asked", worker=worker.url, reason=str(error))
            return None

    def _ask(
        self,
        worker: WorkerAccess,
        method: Method,
        path: str,
        text: str | None = None,
        *,
        wait_s: float = ANSWER_S,
        if_match: str = "",
    ) -> requests.Response:
        try:
            headers = {"Authorization": f"Bearer {worker.token()}"}
        except ValueError as error:
            raise CameraError(502, "no_token", f"worker {worker.url}: {error}") from None
        if if_match:
            headers["If-Match"] = f'"{if_match}"'
        url = f"{worker.url}/v1/cameras{'/' if path else ''}{path}"
        try:
            with requests.Session() as session:
                # Neither proxies nor logins of this process's environment.
                session.trust_env = False
                answer = session.request(
                    method,
                    url,
                    data=None if text is None else text.encode(),
                    headers=headers,
                    timeout=(CONNECT_S, wait_s),
                    allow_redirects=False,
                    verify=str(worker.ca_file) if worker.ca_file else True,
                    stream=True,
                )
                if int(answer.headers.get("Content-Length", MOST_BYTES + 1)) > MOST_BYTES:
                    raise CameraError(502, "nonsense", f"worker {worker.url} sends too much, or no length")
                _ = answer.content
        except (requests.RequestException, ValueError) as error:
            reason = type(error).__name__
            raise CameraError(
                502, "unreachable", f"worker {worker.url} does not answer ({reason}): is it running?"
            ) from None
        if answer.status_code == 200:
            return answer
        detail = _detail(answer)
        if answer.status_code in (409, 412, 422, 503):
            raise CameraError(answer.status_code, "refused", detail)
        raise CameraError(502, "unreachable", f"worker {worker.url} answers {answer.status_code}: {detail}")


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        found: dict[str, Any] = answer.json()
    except ValueError:
        raise CameraError(502, "nonsense", "the worker answers with nonsense") from None
    return found


def _detail(answer: requests.Response) -> str:
    try:
        return str(answer.json()["detail"])[:500]
    except (ValueError, KeyError, TypeError):
        return "no reason given"
