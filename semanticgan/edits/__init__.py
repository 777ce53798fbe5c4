"""An edit as data: where the face comes from, what is done with it, how the result is pasted; applied, and as JSON."""

from semanticgan.edits.edit import Edit, Edited
from semanticgan.edits.operation import Operation
from semanticgan.edits.sources import Found, Source

__all__ = ["Edit", "Edited", "Found", "Operation", "Source"]
