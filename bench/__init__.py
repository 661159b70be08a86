"""Measure face age and gender networks: accuracy, latency, and the proof of both."""
