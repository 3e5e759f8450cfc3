"""Puts a box together: cameras, perception, rules, evidence and events."""

# Before all else: loaded into a process that has GStreamer and OpenCV already, onnxruntime 1.32 dies of its
# own exceptions (a broken model aborts instead of raising).
import onnxruntime  # noqa: F401
