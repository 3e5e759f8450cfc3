"""The worker's Ed25519 key (RFC 8032): it signs manifests, and its public half says who did."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from pipeline.evidence.durable import make_directories, sync, write_file
from pipeline.evidence.errors import EvidenceError

PRIVATE_NAME = "signing.key"
PUBLIC_NAME = "signing.pub"
_MAX_PEM_BYTES = 16_384


def key_id(public_key: bytes) -> str:
    """Short name of a raw 32-byte public key: the first 16 hexadecimal digits of its SHA-256.

    For people to compare; trust is decided on the whole key.
    """
    return hashlib.sha256(public_key).hexdigest()[:16]


def signed_by(public_key: bytes, data: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) over `data` was made with the key of `public_key` (raw, 32 bytes)."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The worker's private key."""

    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def load_or_create(cls, data_dir: Path) -> SigningKey:
        """Read `signing.key` in `data_dir`, or make one (0600), and keep `signing.pub` beside it for the IOC.

        Safe when several processes start at once: all end with the same key. Raises EvidenceError when the
        key cannot be read or written, is no Ed25519 key, or may be read by others than its owner.
        """
        path = data_dir / PRIVATE_NAME
        try:
            make_directories(data_dir)
            if not path.exists():
                _create(path)
            key = cls(_load_private(path))
            _publish(data_dir / PUBLIC_NAME, key)
        except OSError as error:
            raise EvidenceError(f"signing key {path}: {error.strerror or error}") from error
        return key

    @property
    def public_key(self) -> bytes:
        """Raw public key, 32 bytes."""
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def public_pem(self) -> bytes:
        """Public key as PEM (SubjectPublicKeyInfo), as openssl reads it."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def key_id(self) -> str:
        """Short name of the key."""
        return key_id(self.public_key)

    def sign(self, data: bytes) -> bytes:
        """64 bytes of signature."""
        return self.private.sign(data)


def load_public_keys(paths: Iterable[Path]) -> frozenset[bytes]:
    """Raw public keys of PEM files, and of all *.pub files in directories: whom `verify` shall trust.

    Raises EvidenceError naming the file that cannot be read or holds no Ed25519 public key, and where a
    directory holds none.
    """
    keys = set()
    for path in paths:
        files = sorted(path.glob("*.pub")) if path.is_dir() else [path]
        if not files:
            raise EvidenceError(f"{path} holds no *.pub file: give the workers' {PUBLIC_NAME} files")
        for file in files:
            try:
                with file.open("rb") as stream:
                    key = load_pem_public_key(stream.read(_MAX_PEM_BYTES))
            except OSError as error:
                raise EvidenceError(f"public key {file}: {error.strerror or error}") from error
            except (ValueError, UnsupportedAlgorithm) as error:
                raise EvidenceError(f"{file} is no PEM public key: give a worker's {PUBLIC_NAME}") from error
            if not isinstance(key, Ed25519PublicKey):
                raise EvidenceError(f"{file} is no Ed25519 key: give a worker's {PUBLIC_NAME}")
            keys.add(key.public_bytes(Encoding.Raw, PublicFormat.Raw))
    return frozenset(keys)


def _create(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".signing-") as directory:
        fresh = Path(directory) / PRIVATE_NAME
        write_file(fresh, pem, mode=0o600)
        try:
            # A link never replaces: of two processes that start at once, the first one's key stays.
            path.hardlink_to(fresh)
        except FileExistsError:
            return
    sync(path.parent)


def _load_private(path: Path) -> Ed25519PrivateKey:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as stream:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise EvidenceError(f"signing key {path} is no regular file: move it away")
        if status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise EvidenceError(
                f"signing key {path} may be read by others (mode {mode:04o}): if nobody has, "
                f"chmod 600 it; else delete it, and a new key is made"
            )
        pem = stream.read(_MAX_PEM_BYTES)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise EvidenceError(f"signing key {path} is damaged or encrypted: restore it from a copy") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise EvidenceError(f"signing key {path} is no Ed25519 key: move it away, and a new one is made")
    return key


def _publish(path: Path, key: SigningKey) -> None:
    if path.is_file() and path.read_bytes() == key.public_pem:
        return
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".signing-") as directory:
        fresh = Path(directory) / PUBLIC_NAME
        write_file(fresh, key.public_pem, mode=0o644)
        fresh.replace(path)
    sync(path.parent)
