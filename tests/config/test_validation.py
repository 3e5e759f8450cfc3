from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from pipeline.config.camera import CameraId
from pipeline.config.document import Document
from pipeline.config.validation import validate
from pipeline.scene.drawn import Name


class Known(BaseModel):
    camera: CameraId = "gate"
    zone: Name = "gate"
    lower: Annotated[str, Field(pattern=r"^[a-z]{1,2}$")] = "a"
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{4}$")] = "0000"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (
            "camera",
            "Cổng 1",
            "must begin with a letter or digit and hold only small letters a-z without accents, digits, "
            ". _ - (63 at most), not 'Cổng 1'",
        ),
        ("camera", "a" * 64, "(63 at most)"),
        ("zone", "vỉa hè", "only letters a-z, A-Z without accents, digits, . _ - (63 at most), not 'vỉa hè'"),
        ("lower", "abc", "must hold only small letters a-z without accents (2 at most), not 'abc'"),
        ("digest", "xyz", "pattern"),
    ],
)
def test_what_an_id_may_hold_is_told_in_words(key: str, value: str, says: str) -> None:
    document = Document(Path("site.yaml"))
    validate(document, Known, {key: value})
    (problem,) = document.problems
    assert f"{key}: " in problem
    assert says in problem
