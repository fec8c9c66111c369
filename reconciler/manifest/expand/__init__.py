"""Expands entries into tasks: their values, periods and templates, and the generated tasks."""
