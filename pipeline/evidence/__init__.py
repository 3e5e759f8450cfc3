"""Proof of a hit: stills, clip, overlay, manifest, signature, verification."""

from pipeline.evidence.errors import EvidenceError
from pipeline.evidence.gather import ROLES, EvidenceMaker
from pipeline.evidence.manifest import Manifest
from pipeline.evidence.signing import SigningKey, load_public_keys
from pipeline.evidence.store import EvidenceStore, StoredBundle
from pipeline.evidence.verify import VerifyResult, verify, verify_tree

__all__ = [
    "ROLES",
    "EvidenceError",
    "EvidenceMaker",
    "EvidenceStore",
    "Manifest",
    "SigningKey",
    "StoredBundle",
    "VerifyResult",
    "load_public_keys",
    "verify",
    "verify_tree",
]
