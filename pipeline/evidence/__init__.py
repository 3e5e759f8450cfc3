"""Proof of a hit: stills, clip, overlay, manifest, signature, verification."""
