"""The algorithms: pure functions on images and tensors, free of the rest of the package."""
