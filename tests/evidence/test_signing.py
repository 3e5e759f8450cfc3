"""The worker's key: made once, kept secret, its public half there for all."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from pipeline.evidence import EvidenceError, SigningKey, load_public_keys
from pipeline.evidence.signing import key_id, signed_by


def public_key_of(data_dir: Path) -> bytes:
    return SigningKey.load_or_create(data_dir).public_key


def test_made_once_and_secret(tmp_path: Path) -> None:
    data_dir = tmp_path / "not" / "there"
    key = SigningKey.load_or_create(data_dir)
    again = SigningKey.load_or_create(data_dir)
    assert again.public_key == key.public_key
    assert (data_dir / "signing.key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in data_dir.iterdir()) == ["signing.key", "signing.pub"]
    assert "PRIVATE" not in repr(key)
    assert key.key_id == key_id(key.public_key)
    assert len(key.key_id) == 16


def test_signature_holds_for_its_data_and_key_alone(tmp_path: Path) -> None:
    key = SigningKey.load_or_create(tmp_path / "a")
    other = SigningKey.load_or_create(tmp_path / "b")
    signature = key.sign(b"data")
    assert signed_by(key.public_key, b"data", signature)
    assert not signed_by(key.public_key, b"datA", signature)
    assert not signed_by(other.public_key, b"data", signature)
    assert not signed_by(key.public_key, b"data", signature[:-1])


def test_openssl_agrees(tmp_path: Path) -> None:
    """An IOC without our software can check a signature."""
    key = SigningKey.load_or_create(tmp_path)
    (tmp_path / "data").write_bytes(b"manifest")
    (tmp_path / "data.sig").write_bytes(key.sign(b"manifest"))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "signing.pub", "-rawin"]
    done = subprocess.run(
        [*command, "-in", "data", "-sigfile", "data.sig"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        keys = pool.map(public_key_of, [tmp_path] * 8, chunksize=1)
    assert len(set(keys)) == 1
    assert load_public_keys([tmp_path]) == {keys[0]}


def test_lost_public_file_is_written_again(tmp_path: Path) -> None:
    key = SigningKey.load_or_create(tmp_path)
    (tmp_path / "signing.pub").write_text("something else")
    SigningKey.load_or_create(tmp_path)
    assert (tmp_path / "signing.pub").read_bytes() == key.public_pem


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    SigningKey.load_or_create(tmp_path)
    (tmp_path / "signing.key").chmod(mode)
    with pytest.raises(EvidenceError, match=f"mode 0{mode:o}.*chmod 600"):
        SigningKey.load_or_create(tmp_path)


def test_unusable_key_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"

    def refusal() -> str:
        with pytest.raises(EvidenceError) as error:
            SigningKey.load_or_create(tmp_path)
        path.unlink()
        assert str(path) in str(error.value)
        return str(error.value)

    def put(data: bytes) -> None:
        path.write_bytes(data)
        path.chmod(0o600)

    put(b"-----BEGIN PRIVATE KEY-----\nxxxx")
    assert "damaged" in refusal()
    put(b"")
    assert "damaged" in refusal()
    curve = generate_private_key(SECP256R1())
    put(curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert "no Ed25519 key" in refusal()
    put(curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    assert "encrypted" in refusal()
    (tmp_path / "elsewhere").write_bytes(b"")
    path.symlink_to(tmp_path / "elsewhere")
    assert "symbolic links" in refusal()
    os.mkfifo(path, 0o600)
    assert "no regular file" in refusal()


def test_public_keys_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="No such file"):
        load_public_keys([tmp_path / "none.pub"])
    with pytest.raises(EvidenceError, match=r"holds no \*\.pub"):
        load_public_keys([tmp_path])
    (tmp_path / "bad.pub").write_text("hello")
    with pytest.raises(EvidenceError, match=r"bad\.pub is no PEM"):
        load_public_keys([tmp_path])
    curve = generate_private_key(SECP256R1()).public_key()
    (tmp_path / "bad.pub").write_bytes(curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(EvidenceError, match="no Ed25519 key"):
        load_public_keys([tmp_path / "bad.pub"])
