"""Puts a box together: cameras, perception, rules, evidence and events."""
