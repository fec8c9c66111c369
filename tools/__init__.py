"""Maintenance of this repository: `python -m tools.reference` writes the generated parts of docs/."""
