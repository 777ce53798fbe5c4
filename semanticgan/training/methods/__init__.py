"""What can be trained, one file a method; the name of the file is the ``method`` of a recipe."""
