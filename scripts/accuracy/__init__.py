"""The ruler: what the worker reports of the held-out city, held against what really happened in it."""
