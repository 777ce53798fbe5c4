"""Untrusted files, read without running anything in them and without trusting the sizes they state."""
