"""Proof of a hit: stills, clip, overlay, manifest, signature, verification."""

from pipeline.evidence.blur import Seen, blur
from pipeline.evidence.errors import EvidenceError
from pipeline.evidence.gather import ROLES, EvidenceMaker
from pipeline.evidence.manifest import Manifest, originals_digest
from pipeline.evidence.record import Around, LawNote, LawPoint
from pipeline.evidence.signing import SigningKey, load_public_keys
from pipeline.evidence.store import EvidenceStore, StoredBundle
from pipeline.evidence.verify import VerifyResult, verify, verify_tree

__all__ = [
    "ROLES",
    "Around",
    "EvidenceError",
    "EvidenceMaker",
    "EvidenceStore",
    "LawNote",
    "LawPoint",
    "Manifest",
    "Seen",
    "SigningKey",
    "StoredBundle",
    "VerifyResult",
    "blur",
    "load_public_keys",
    "originals_digest",
    "verify",
    "verify_tree",
]
