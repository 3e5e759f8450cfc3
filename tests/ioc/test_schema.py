"""Whatever a client that knows the OpenAPI document sends, no route answers with a fault of ours."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from schemathesis import Case as Call
from schemathesis import GenerationMode

from tests.ioc.office import Office, office

EXAMPLES = 5
"""For each route, once of what the document allows and once of what it does not."""
ENDLESS = "/api/v1/live"
"""Streams for as long as somebody listens."""
HOUSE = {"letter_id": 1, "user_id": 1, "number": 1}
# Always the same examples, however slow the machine.
SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("role", ["admin", "supervisor"])
def test_no_route_answers_with_a_fault_of_ours(tmp_path: Path, role: str) -> None:
    made = office(tmp_path)
    known = {"case_id": made.act(), "camera_id": "cam-1", "file": "at.jpg", **HOUSE}
    schema = schemathesis.openapi.from_dict(made.app.openapi())
    seen: Counter[int] = Counter()
    routes = [one.ok() for one in schema.get_all_operations()]
    for number, route in enumerate(routes):
        if route.path != ENDLESS:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                seen += ask(made, route, mode, known, f"{role}-{number}-{mode.value}", role)
    assert len(routes) > 40
    assert min(seen[200], seen[422]) > 30


def ask(
    made: Office, route: Any, mode: GenerationMode, known: dict[str, Any], name: str, role: str
) -> Counter[int]:
    """Answers of a route by status, asked by an account of its own: some routes log out, or change it."""
    seen: Counter[int] = Counter()
    client = made.client(name.lower(), role)

    # Of names in the path, half are of what is there.
    @SETTINGS
    @given(call=route.as_strategy(mode), real=st.booleans())
    def send(call: Call, real: bool) -> None:
        if real:
            call.path_parameters = {
                key: known.get(key, value) for key, value in (call.path_parameters or {}).items()
            }
        sent = call.as_transport_kwargs(base_url="https://ioc.example")
        headers = {key: str(value) for key, value in (sent.pop("headers", None) or {}).items()}
        cookies = sent.pop("cookies", None)
        assert not cookies
        answer = client.request(**sent, headers=headers)
        seen[answer.status_code] += 1
        assert answer.status_code < 500, f"{call.as_curl_command()}: {answer.status_code} {answer.text[:500]}"

    try:
        send()
    except hypothesis.errors.Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # nothing can be wrong with a call that has no parameters
    return seen
