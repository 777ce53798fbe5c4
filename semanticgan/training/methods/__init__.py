"""What can be trained, one file a method; the name of the file is the ``method`` of a recipe.

The configuration is in the same file or in one of its own, ``NAME_config.py``; then a recipe is read without importing
networks.
"""
