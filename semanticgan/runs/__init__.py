"""The folder of a run: state, lock, logs, report."""
