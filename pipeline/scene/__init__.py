"""What the picture means: stop lines, lamps, lanes and zones of one camera."""
