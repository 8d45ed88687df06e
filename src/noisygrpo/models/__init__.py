"""Loading, merging and versions of models, and their vision part."""
