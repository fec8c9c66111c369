"""Chores of this repository: `python -m tools.reference` writes the reference pages anew."""
