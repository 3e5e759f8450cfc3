"""One file per act; pure: observations in, hits out."""
