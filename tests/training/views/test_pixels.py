"""Pixels of other pictures in the place of a batch's own."""

import torch

from noisygrpo.training.views.pixels import with_pixels


def test_rows_of_a_family_that_pads_images_may_come_from_batches_with_fewer():
    """Rows with three images, with one and without any: as SmolVLM's processor lays them."""
    batch = {"pixel_values": torch.zeros(3, 3, 3, 4, 4), "num_images": [3, 1, 0]}
    rows = [torch.full((3, 3, 4, 4), 1.0), torch.full((1, 3, 4, 4), 2.0), torch.empty(0)]
    found = with_pixels(batch, rows)["pixel_values"]
    assert found.shape == (3, 3, 3, 4, 4)
    assert found[:, :, 0, 0, 0].tolist() == [[1, 1, 1], [2, 0, 0], [0, 0, 0]]
