"""Training recipes, one YAML file each, with the scores to expect of it; ``semanticgan.configs`` in a wheel."""
