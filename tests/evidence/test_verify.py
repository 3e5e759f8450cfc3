"""Whatever was done to a bundle, `verify` names it; whoever signed it, it says whether we know them."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import CameraSettings
from pipeline.evidence import EvidenceMaker, SigningKey, load_public_keys, verify, verify_tree
from pipeline.types import Hit
from tests.evidence.conftest import EVENT_ID, make_hit
from tests.evidence.film import Film, FilmRecording


@pytest.fixture
def bundle(maker: EvidenceMaker, hit: Hit, recording: FilmRecording, camera: CameraSettings) -> Path:
    return maker.make(hit, EVENT_ID, recording, camera).path


def rewrite(bundle: Path, key: SigningKey, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest and sign it anew, as one could who has a key."""
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    change(manifest)
    raw = json.dumps(manifest).encode()
    (bundle / "manifest.json").write_bytes(raw)
    (bundle / "manifest.sig").write_bytes(base64.b64encode(key.sign(raw)))


def problem(bundle: Path, key: SigningKey) -> str:
    result = verify(bundle, {key.public_key})
    assert not result.ok
    assert not result.trusted
    assert not verify(bundle).ok, "no better without trusted keys"
    assert result.sentence == f"NOT OK: {result.problem}"
    return result.problem


def test_untouched_bundle(bundle: Path, key: SigningKey, tmp_path: Path) -> None:
    result = verify(bundle, load_public_keys([tmp_path / "data" / "signing.pub"]))
    assert (result.ok, result.trusted, result.problem) == (True, True, "")
    assert (result.event_id, result.key_id) == (EVENT_ID, key.key_id)
    assert "a trusted key" in result.sentence

    alone = verify(bundle)
    assert (alone.ok, alone.trusted) == (True, False)
    assert "only the bundle itself vouches for" in alone.sentence


def test_a_strangers_bundle_is_never_trusted(bundle: Path, key: SigningKey, tmp_path: Path) -> None:
    stranger = SigningKey.load_or_create(tmp_path / "stranger")

    def forge(manifest: dict[str, Any]) -> None:
        manifest["facts"] = {"lamp": "forged"}
        manifest["signature"].update(key_id=stranger.key_id, public_key=stranger.public_key.hex())

    rewrite(bundle, stranger, forge)
    result = verify(bundle, {key.public_key})
    assert (result.ok, result.trusted) == (False, False)
    assert result.problem == f"it is signed with key {stranger.key_id}, which is none of the trusted keys"
    assert not verify(bundle).trusted
    assert not verify(bundle, set()).ok, "an empty list trusts nobody"

    # Borrowing the name of our key does not help.
    rewrite(bundle, stranger, lambda manifest: manifest["signature"].update(key_id=key.key_id))
    assert "to another key" in verify(bundle).problem
    # Nor does giving our public key without having its private half.
    rewrite(bundle, stranger, lambda manifest: manifest["signature"].update(public_key=key.public_key.hex()))
    assert "does not fit manifest.json" in verify(bundle, {key.public_key}).problem


@pytest.mark.parametrize(
    "name", ["before.jpg", "at.jpg", "after.jpg", "crop.png", "annotated.jpg", "clip.mp4"]
)
def test_every_file_is_guarded(bundle: Path, key: SigningKey, name: str) -> None:
    path = bundle / name
    whole = path.read_bytes()

    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    assert problem(bundle, key) == f"{name} was changed: its SHA-256 is not the one in manifest.json"
    path.write_bytes(whole + b"\0")
    assert problem(bundle, key) == f"{name} has {len(whole) + 1} bytes, manifest.json says {len(whole)}"
    path.unlink()
    assert problem(bundle, key) == f"{name} is not there"
    elsewhere = bundle.parent / "copy"
    elsewhere.write_bytes(whole)
    path.symlink_to(elsewhere)
    assert problem(bundle, key).startswith(f"{name} is no regular file")
    path.unlink()
    os.mkfifo(path)
    assert problem(bundle, key) == f"{name} is no regular file"
    path.unlink()
    path.write_bytes(whole)
    assert verify(bundle, {key.public_key}).ok


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig"])
def test_manifest_and_signature_are_guarded(bundle: Path, key: SigningKey, name: str) -> None:
    path = bundle / name
    whole = path.read_bytes()
    for position in range(0, len(whole) - 1, 7):
        changed = bytearray(whole)
        changed[position] ^= 1
        path.write_bytes(changed)
        assert "manifest." in problem(bundle, key)
    path.write_bytes(whole[: len(whole) // 2])
    assert name in problem(bundle, key) or "manifest.sig" in problem(bundle, key)
    path.unlink()
    assert problem(bundle, key) == f"{name} is not there"
    path.write_bytes(b" " * 2_000_000)
    assert problem(bundle, key).startswith(f"{name} is too large: 2000000 bytes")
    path.unlink()
    path.symlink_to("/dev/zero")
    assert problem(bundle, key).startswith(f"{name} is no regular file")
    path.unlink()
    path.mkdir()
    assert problem(bundle, key).startswith(f"{name} is no regular file")


def test_swapped_files_and_foreign_signature(
    bundle: Path, maker: EvidenceMaker, key: SigningKey, film: Film, camera: CameraSettings
) -> None:
    other = maker.make(make_hit(track_id=18), "other-event", FilmRecording(film), camera).path
    shutil.copy(other / "manifest.sig", bundle / "manifest.sig")
    assert "does not fit manifest.json" in problem(bundle, key)
    shutil.copy(other / "manifest.json", bundle / "manifest.json")
    assert problem(bundle, key).startswith("annotated.jpg "), "its caption names another track"


def test_unexpected_files(bundle: Path, key: SigningKey) -> None:
    (bundle / "extra\x1b[31m.txt").write_text("hello")
    assert problem(bundle, key) == r"'extra\x1b[31m.txt' is in the directory, but not in manifest.json"
    (bundle / "extra\x1b[31m.txt").unlink()
    (bundle / ".hidden").mkdir()
    assert "'.hidden' is in the directory" in problem(bundle, key)


@pytest.mark.parametrize(
    "file",
    ["/etc/passwd", "../at.jpg", "a/b.jpg", "..", "", ".hidden", "manifest.json", "at.jpg\0", "a" * 200],
)
def test_names_that_lead_elsewhere(bundle: Path, key: SigningKey, file: str) -> None:
    rewrite(bundle, key, lambda manifest: manifest["items"][1].update(file=file))
    assert "is not the name of a file in the bundle" in problem(bundle, key)


def test_one_name_for_two_items(bundle: Path, key: SigningKey) -> None:
    rewrite(bundle, key, lambda manifest: manifest["items"].append(manifest["items"][0]))
    assert problem(bundle, key) == "manifest.json names 'before.jpg' twice"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"schema_version":' + b"9" * 100_000 + b"}",
        b'{"schema_version":2}',
    ],
    ids=["empty", "null", "list", "text", "object", "no-utf8", "deep", "deep-object", "huge-int", "version"],
)
def test_manifests_of_the_wrong_shape(bundle: Path, key: SigningKey, raw: bytes) -> None:
    (bundle / "manifest.json").write_bytes(raw)
    (bundle / "manifest.sig").write_bytes(base64.b64encode(key.sign(raw)))
    found = problem(bundle, key)
    assert found.startswith("manifest.json is no manifest")
    assert len(found) < 500


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(surprise=1),
        lambda m: m.update(event_id="../x"),
        lambda m: m.update(items={}),
        lambda m: m.update(items=m["items"] * 100),
        lambda m: m["items"][0].update(size_bytes="12"),
        lambda m: m["items"][0].update(size_bytes=-1),
        lambda m: m["items"][0].update(size_bytes=1.5),
        lambda m: m["items"][0].update(sha256="AB"),
        lambda m: m["items"][0].update(captured_at="yesterday"),
        lambda m: m["items"][0].update(captured_at="0000-99-99T00:00:00.000000000Z"),
        lambda m: m["signature"].update(algorithm="none"),
        lambda m: m["signature"].update(public_key="00"),
        lambda m: m["time"].update(source="sundial"),
        lambda m: m.pop("missing"),
    ],
)
def test_values_of_the_wrong_kind(bundle: Path, key: SigningKey, change: Callable[..., object]) -> None:
    rewrite(bundle, key, change)
    assert problem(bundle, key).startswith("manifest.json is no manifest at ")


def test_signature_that_is_no_base64(bundle: Path, key: SigningKey) -> None:
    (bundle / "manifest.sig").write_bytes(b"\xff not base64 \x00")
    assert problem(bundle, key) == "manifest.sig is no base64"


def test_directories_that_are_none(tmp_path: Path, key: SigningKey) -> None:
    assert "No such file" in problem(tmp_path / "none", key)
    (tmp_path / "file").touch()
    assert "Not a directory" in problem(tmp_path / "file", key)
    assert "manifest.json is not there" in problem(tmp_path, key)


def test_tree(maker: EvidenceMaker, key: SigningKey, film: Film, camera: CameraSettings) -> None:
    paths = [
        maker.make(make_hit(track_id=n), f"event-{n}", FilmRecording(film), camera).path for n in range(3)
    ]
    root = maker.store.root
    trusted = {key.public_key}
    assert [(r.path, r.ok, r.trusted) for r in verify_tree(root, trusted)] == [(p, True, True) for p in paths]
    assert [r.path for r in verify_tree(paths[0], trusted)] == [paths[0]]

    (paths[1] / "at.jpg").write_bytes(b"")
    (paths[2] / "manifest.json").unlink()
    (root / "link").symlink_to(paths[0])
    found = [(r.path, r.problem) for r in verify_tree(root, trusted) if not r.ok]
    size = len((paths[0] / "at.jpg").read_bytes())
    assert found == [
        (root, "manifest.json is not there, but 'link' is"),
        (paths[1], f"at.jpg has 0 bytes, manifest.json says {size}"),
        (paths[2], "manifest.json is not there"),
    ]


def test_tree_without_bundles_is_not_well(tmp_path: Path) -> None:
    (tmp_path / "2025-01-01").mkdir()
    (result,) = verify_tree(tmp_path)
    assert not result.ok
    assert "there is no bundle" in result.problem
    (result,) = verify_tree(tmp_path / "none")
    assert "cannot be read" in result.problem


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A folder that may be filled deeper than shutil can clear away."""
    path = tmp_path / "tree"
    path.mkdir()
    yield path
    subprocess.run(["rm", "-rf", str(path)], check=True)


@pytest.mark.parametrize(("name", "depth"), [("a", 1200), ("a" * 250, 40)], ids=["deep", "too long a path"])
def test_a_tree_may_be_deeper_than_any_worker_makes_it(
    tree: Path, bundle: Path, name: str, depth: int
) -> None:
    bundle.rename(tree / "bundle")
    fd = os.open(tree, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        inner = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    *deep, last = verify_tree(tree)
    assert last.ok, "what else is there is verified"
    assert ["File name too long" in result.problem for result in deep] == [True] * (len(name) > 1)


def test_the_same_json_in_other_bytes_is_another_manifest(bundle: Path, key: SigningKey) -> None:
    raw = (bundle / "manifest.json").read_bytes()
    (bundle / "manifest.json").write_bytes(json.dumps(json.loads(raw), indent=1).encode())
    assert "does not fit" in problem(bundle, key)
