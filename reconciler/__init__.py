"""taskctl: a declarative reconciler for Pulumi Cloud's agent tasks."""

__version__ = "0.1.0"
