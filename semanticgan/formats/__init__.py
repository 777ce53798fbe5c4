"""Files that nobody vouches for, read without running anything in them and without believing their sizes."""
