"""What the case's page tells of lamps: out of what the event says, whatever that is."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.ioc.console.signals import strips_of
from pipeline.ioc.store.act import Act
from tests.events import examples

AT = examples.START_S
RUNS = [[AT - 8, AT - 5, "green"], [AT - 5, AT - 2, "yellow"], [AT - 2, AT + 2, "red"]]


def act(shown: Any) -> Act:
    data = examples.candidate().data
    return Act.model_validate({**data, "facts": {**data["facts"], "lamp_shown": shown}})


def test_a_strip_tells_what_a_lamp_showed_and_since_when() -> None:
    strips = strips_of(
        act({"north": RUNS, "arrow": [[AT - 8, AT + 2, "red"]], "far": [[AT - 8, AT - 1, "red"]]})
    )
    assert strips is not None
    assert (strips.start_s, strips.end_s) == (AT - 8, AT + 2)
    assert strips.share(strips.at_s) == pytest.approx(0.8)
    assert strips.age("north") == ("red", "2.0 s")
    assert strips.age("arrow") == ("red", "≥ 8.0 s")  # when it changed was before anybody looked
    assert strips.age("far") is None  # nobody saw it at the decisive moment
    assert list(strips.seconds()) == list(range(-8, 3))
    # After what could not be read, a colour has lasted for at least so long.
    doubtful = strips_of(act({"north": [[AT - 8, AT - 3, "unknown"], [AT - 3, AT + 2, "red"]]}))
    assert doubtful is not None
    assert doubtful.age("north") == ("red", "≥ 3.0 s")


@pytest.mark.parametrize(
    "shown",
    [
        None,
        [],
        {},
        "red",
        {"north": []},
        {"north": [[AT]]},
        {"north": [[AT - 1, "x", "red"]]},
        {"north": [[AT - 1, AT + 1, "<b>"]]},
        {"north": [[AT - 1, 1e300, "red"]]},
        {"north": [[AT - 9e6, AT + 1, "red"]]},
        {"north": [[AT + 1, AT + 9, "red"]]},
        {"north": RUNS * 500},
        {str(n): RUNS for n in range(50)},
        {"x" * 300: RUNS},
    ],
)
def test_what_is_no_history_of_lamps_is_no_strip(shown: Any) -> None:
    assert strips_of(act(shown)) is None
