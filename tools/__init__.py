"""Chores of this repository: `python -m tools.reference` writes what is generated in docs/."""
