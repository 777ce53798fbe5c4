"""The words that inversions and edits take, for command lines: nothing here imports torch."""

METHODS = ("auto", "encoder", "optimise", "tune")
"""How a code is found."""
WAYS = ("auto", "transfer", "replace", "aligned")
"""How an edit is put back."""
