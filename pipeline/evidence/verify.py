"""Is a bundle whole, unchanged, and signed, and by whom? Everything read here may be hostile.

Every file is opened relative to its directory without following links, and nothing is read into memory
that has no bound.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from pipeline.evidence.errors import EvidenceError
from pipeline.evidence.manifest import MANIFEST_NAME, SIGNATURE_NAME, Manifest
from pipeline.evidence.signing import key_id, signed_by
from pipeline.types import MissingItem

MAX_MANIFEST_BYTES = 1_048_576
MAX_SIGNATURE_BYTES = 1_024
STAGING_NAME = ".staging"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_CHUNK_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What `verify` found out about one bundle."""

    path: Path
    ok: bool
    problem: str = ""
    """The first thing that is wrong, in one sentence; empty when nothing is."""
    event_id: str = ""
    key_id: str = ""
    """Short name of the key that signed."""
    trusted: bool = False
    """The key is one of those that the caller trusts; else the bundle vouches for itself alone."""
    missing: tuple[MissingItem, ...] = ()
    """Parts that the worker could not get, as the manifest says."""

    @property
    def sentence(self) -> str:
        """The finding for people."""
        if not self.ok:
            return f"NOT OK: {self.problem}"
        who = "a trusted key" if self.trusted else "a key that only the bundle itself vouches for"
        gaps = f"; missing: {', '.join(part.role for part in self.missing)}" if self.missing else ""
        return f"ok, signed with {who} ({self.key_id}){gaps}"


def verify(directory: Path, trusted_keys: Collection[bytes] | None = None) -> VerifyResult:
    """Check one bundle: signature, names, sizes and hashes, and that nothing is there besides.

    With `trusted_keys` (raw public keys, see `load_public_keys`) any other key is a fault; without, a bundle
    may be `ok`, but is never `trusted`: whoever can write it can sign it. Never raises.
    """
    try:
        manifest, _ = read_bundle(directory, trusted_keys)
    except EvidenceError as error:
        return VerifyResult(directory, ok=False, problem=str(error))
    return VerifyResult(
        directory,
        ok=True,
        event_id=manifest.event_id,
        key_id=manifest.signature.key_id,
        trusted=trusted_keys is not None,
        missing=tuple(MissingItem(part.role, part.reason) for part in manifest.missing),
    )


def verify_tree(top: Path, trusted_keys: Collection[bytes] | None = None) -> Iterator[VerifyResult]:
    """`verify` for every bundle at or below `top`, in order of their paths.

    A directory that holds files but no manifest is a fault, and so is a tree without any bundle.
    """
    found = False
    for result in _walk(top, trusted_keys):
        found = True
        yield result
    if not found:
        yield VerifyResult(top, ok=False, problem=f"there is no bundle in {shown(top)}")


def read_bundle(directory: Path, trusted_keys: Collection[bytes] | None) -> tuple[Manifest, str]:
    """A bundle's manifest and the SHA-256 of its bytes; raises EvidenceError with the first thing wrong."""
    with _opened_directory(directory) as fd:
        raw = _read_small(fd, MANIFEST_NAME, MAX_MANIFEST_BYTES)
        signature_text = _read_small(fd, SIGNATURE_NAME, MAX_SIGNATURE_BYTES)
        manifest = _parse(raw)
        _check_signature(manifest, raw, signature_text, trusted_keys)
        names = _check_names(manifest)
        _check_listing(fd, names)
        for item in manifest.items:
            _check_item(fd, item.file, item.size_bytes, item.sha256)
    return manifest, hashlib.sha256(raw).hexdigest()


def shown(text: object) -> str:
    """Hostile text for a message: quoted, without control characters, short."""
    quoted = repr(str(text))
    return quoted if len(quoted) <= 120 else quoted[:117] + "..."


def _walk(top: Path, trusted_keys: Collection[bytes] | None) -> Iterator[VerifyResult]:
    # No recursion: how deep a tree is, whoever made it decides.
    ahead = [top]
    while ahead:
        directory = ahead.pop()
        try:
            with os.scandir(directory) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            problem = f"{shown(directory)} cannot be read: {error.strerror}"
            yield VerifyResult(directory, ok=False, problem=problem)
            continue
        names = {entry.name for entry in entries}
        if MANIFEST_NAME in names or SIGNATURE_NAME in names:
            yield verify(directory, trusted_keys)
            continue
        folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        strays = names.difference(folders)
        if strays:
            problem = f"{MANIFEST_NAME} is not there, but {shown(min(strays))} is"
            yield VerifyResult(directory, ok=False, problem=problem)
        ahead += [directory / name for name in reversed(folders) if name != STAGING_NAME]


@contextmanager
def _opened_directory(directory: Path) -> Iterator[int]:
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise EvidenceError(f"{shown(directory)} cannot be opened: {error.strerror}") from error
    except ValueError as error:
        raise EvidenceError(f"{shown(directory)} is no path") from error
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _opened_file(directory_fd: int, name: str) -> Iterator[int]:
    """A regular file's descriptor: a link is not followed, a FIFO not waited for."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory_fd)
    except FileNotFoundError as error:
        raise EvidenceError(f"{name} is not there") from error
    except OSError as error:
        raise EvidenceError(f"{name} is no regular file, or cannot be read: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise EvidenceError(f"{name} is no regular file")
        yield fd
    except OSError as error:
        raise EvidenceError(f"{name} cannot be read: {error.strerror}") from error
    finally:
        os.close(fd)


def _read_small(directory_fd: int, name: str, limit_bytes: int) -> bytes:
    with _opened_file(directory_fd, name) as fd:
        size_bytes = os.fstat(fd).st_size
        if size_bytes > limit_bytes:
            raise EvidenceError(f"{name} is too large: {size_bytes} bytes, at most {limit_bytes} are read")
        return os.read(fd, limit_bytes)


def _parse(raw: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        at = f" at {shown(where)}" if where else ""
        raise EvidenceError(f"{MANIFEST_NAME} is no manifest{at}: {first['msg'][:200]}") from error


def _check_signature(
    manifest: Manifest, raw: bytes, signature_text: bytes, trusted_keys: Collection[bytes] | None
) -> None:
    try:
        signature = base64.b64decode(signature_text.strip(), validate=True)
    except ValueError as error:
        raise EvidenceError(f"{SIGNATURE_NAME} is no base64") from error
    public_key = bytes.fromhex(manifest.signature.public_key)
    if not signed_by(public_key, raw, signature):
        raise EvidenceError(
            f"{SIGNATURE_NAME} does not fit {MANIFEST_NAME}: one of them was changed after signing"
        )
    if manifest.signature.key_id != key_id(public_key):
        raise EvidenceError(f"{MANIFEST_NAME} gives key id {shown(manifest.signature.key_id)} to another key")
    if trusted_keys is not None and public_key not in trusted_keys:
        raise EvidenceError(f"it is signed with key {key_id(public_key)}, which is none of the trusted keys")


def _check_names(manifest: Manifest) -> set[str]:
    names: set[str] = set()
    for item in manifest.items:
        if not _PLAIN_NAME.fullmatch(item.file) or item.file in (MANIFEST_NAME, SIGNATURE_NAME):
            raise EvidenceError(
                f"{MANIFEST_NAME} names {shown(item.file)}, which is not the name of a file in the bundle"
            )
        if item.file in names:
            raise EvidenceError(f"{MANIFEST_NAME} names {shown(item.file)} twice")
        names.add(item.file)
    return names


def _check_listing(directory_fd: int, names: set[str]) -> None:
    with os.scandir(directory_fd) as entries:
        for entry in entries:
            if entry.name not in names and entry.name not in (MANIFEST_NAME, SIGNATURE_NAME):
                raise EvidenceError(f"{shown(entry.name)} is in the directory, but not in {MANIFEST_NAME}")


def _check_item(directory_fd: int, name: str, size_bytes: int, sha256: str) -> None:
    with _opened_file(directory_fd, name) as fd:
        actual_bytes = os.fstat(fd).st_size
        if actual_bytes != size_bytes:
            raise EvidenceError(f"{name} has {actual_bytes} bytes, {MANIFEST_NAME} says {size_bytes}")
        digest = hashlib.sha256()
        left = size_bytes
        while left > 0 and (chunk := os.read(fd, min(left, _CHUNK_BYTES))):
            digest.update(chunk)
            left -= len(chunk)
        if digest.hexdigest() != sha256:
            raise EvidenceError(f"{name} was changed: its SHA-256 is not the one in {MANIFEST_NAME}")
