"""Training: configuration, losses, the loop, its logs and its resumable state."""
