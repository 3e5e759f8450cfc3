"""The catalogue, against a real HTTP server and real files."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import ModelSettings
from pipeline.perception.detector import Detector
from pipeline.perception.errors import PerceptionError
from pipeline.perception.models import catalogue, pull
from tests.perception.onnx_models import constant_model, names


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address at which it is served."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def card(directory: Path, name: str, url: str, sha256: str, more: str = "") -> None:
    directory.mkdir(exist_ok=True)
    text = f"names: [person]\ndownload: {{url: '{url}', sha256: '{sha256}'{more}}}\n"
    (directory / f"{name}.yaml").write_text(text)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_catalogue_tells_what_is_known_and_what_is_here(tmp_path: Path) -> None:
    own = constant_model(tmp_path / "own.onnx", np.zeros((300, 6)), metadata=names("person"))
    entries = {entry.name: entry for entry in catalogue(tmp_path)}
    assert entries["own"].present
    assert entries["own"].sha256 == digest(own)
    assert entries["own"].size_bytes == own.stat().st_size
    known = entries["yolox_nano_416"]
    assert (known.present, known.classes, known.sha256) == (False, 80, None)
    assert known.path == tmp_path / "yolox_nano_416.onnx"


def test_a_pulled_model_is_whole_and_runs(tmp_path: Path, served: tuple[Path, str]) -> None:
    folder, url = served
    source = constant_model(folder / "m.onnx", np.zeros((300, 6)), metadata=names("person"))
    here = tmp_path / "models"
    card(here, "mine", f"{url}/m.onnx", digest(source))
    steps: list[tuple[int, int | None]] = []
    path = pull("mine", here, lambda received, total: steps.append((received, total)))
    assert path.read_bytes() == source.read_bytes()
    assert steps[-1] == (source.stat().st_size, source.stat().st_size)
    assert Detector(ModelSettings(path=path)).names == ("person",)
    source.unlink()
    assert pull("mine", here) == path, "what is here is not fetched again"


def test_a_file_address_works(tmp_path: Path) -> None:
    source = constant_model(tmp_path / "m.onnx", np.zeros((300, 6)), metadata=names("person"))
    card(tmp_path / "models", "mine", source.as_uri(), digest(source))
    assert pull("mine", tmp_path / "models").read_bytes() == source.read_bytes()


def test_another_file_than_the_cards_is_not_kept(tmp_path: Path, served: tuple[Path, str]) -> None:
    folder, url = served
    (folder / "m.onnx").write_bytes(b"something else")
    here = tmp_path / "models"
    card(here, "mine", f"{url}/m.onnx", "0" * 64)
    with pytest.raises(PerceptionError, match="not the model that its card names"):
        pull("mine", here)
    assert [path.name for path in here.iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize("announced", [True, False])
def test_too_large_a_file_is_not_kept(
    tmp_path: Path, served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, announced: bool
) -> None:
    folder, url = served
    (folder / "m.onnx").write_bytes(bytes(3_000_000))
    if not announced:
        send = Quiet.send_header
        monkeypatch.setattr(
            Quiet,
            "send_header",
            lambda self, key, value: None if key == "Content-Length" else send(self, key, value),
        )
    here = tmp_path / "models"
    card(here, "mine", f"{url}/m.onnx", digest(folder / "m.onnx"), ", max_megabytes: 1")
    with pytest.raises(PerceptionError, match="larger than the 1 MB"):
        pull("mine", here)
    assert [path.name for path in here.iterdir()] == ["mine.yaml"]


def test_an_address_that_does_not_answer_is_named(tmp_path: Path, served: tuple[Path, str]) -> None:
    _, url = served
    here = tmp_path / "models"
    card(here, "mine", f"{url}/none.onnx", "0" * 64)
    with pytest.raises(PerceptionError, match=r"none\.onnx cannot be fetched: File not found"):
        pull("mine", here)


def test_an_own_file_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "yolox_nano_416.onnx").write_bytes(b"my own")
    with pytest.raises(PerceptionError, match="another SHA-256"):
        pull("yolox_nano_416", tmp_path)
    assert (tmp_path / "yolox_nano_416.onnx").read_bytes() == b"my own"


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(PerceptionError, match=r"'\.\./etc/passwd' is not in the catalogue.*yolox_nano_416"):
        pull("../etc/passwd", tmp_path)


def test_exporting_without_the_extra_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    with pytest.raises(PerceptionError, match=r"not installed: pip install 'ngatu\[export\]'"):
        pull("yolo26n", tmp_path)
    assert list(tmp_path.iterdir()) == []
