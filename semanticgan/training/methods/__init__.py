"""Methods: what a training trains, one file each, with its configuration."""
