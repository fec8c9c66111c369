"""Compares the speed of taskctl with similar tools: `python -m bench` measures both in one run.

Rows are ratios, counts or sizes; no row asserts a time in seconds.
"""
