"""How fast taskctl is beside its peers: `python -m bench` measures both in one run.

Nothing here asserts a time in seconds: a row is a ratio, or a count, or a size.
"""
