"""Transitional: sentences that have no code yet."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

ENTRIES = {Code.UNCLASSIFIED: Entry("Unclassified", "", "", {"": Message("{summary}", "{detail}")})}
