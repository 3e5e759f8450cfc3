"""Road users that move: how they drive, walk, give way and share lanes."""
