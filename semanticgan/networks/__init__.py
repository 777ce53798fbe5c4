"""The model, one file a box of Figure 2 of arXiv 2112.02236, in the order in which data passes through them."""
