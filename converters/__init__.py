"""Model files in, ``onnx.ModelProto`` out. Knows nothing of cards or benchmarks."""

VERSION = "4"
"""Raised whenever the bytes of a converted file change; it is part of every cache key and of every file's metadata."""
