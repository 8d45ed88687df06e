"""Equal pictures have equal hashes; every other one, of twenty kinds, has another."""

import torch
from PIL import Image

from noisygrpo.training.pictures.hashes import MOST, PictureHashes, hash_patches, hash_rows
from tiny import tiny_image


def test_pictures():
    first = tiny_image(0)
    grown = first.resize((57, 56))
    others = [
        tiny_image(1),
        grown,
        first.resize((28, 56)),
        first.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        first.rotate(180),
        first.convert("L"),
        first.convert("L").convert("RGB"),
        first.convert("RGBA"),
        Image.new("RGB", first.size),
        Image.new("RGB", first.size, (1, 0, 0)),
        first.crop((0, 0, 56, 55)),
        first.point(lambda value: 255 - value),
        first.point(lambda value: value ^ 1),
        Image.frombytes("RGB", (28, 112), first.tobytes()),  # the same bytes in another shape
    ]
    touched = first.copy()
    touched.putpixel((55, 55), (0, 0, 0) if first.getpixel((55, 55)) != (0, 0, 0) else (1, 0, 0))
    hashes = PictureHashes().row([first, *others, touched])
    assert len(set(hashes)) == len(others) + 2 and {len(one) for one in hashes} == {16}
    assert PictureHashes().row([first.copy()]) == hashes[:1]
    assert PictureHashes().row(None) == () == PictureHashes().row([])


def test_patches_of_any_size_and_precision():
    values = torch.randn(4 * MOST + 17, generator=torch.Generator().manual_seed(0))
    same = hash_patches(values)
    assert same == hash_patches(values.clone()) and hash_patches(values + 1e-3) != same
    assert hash_patches(values[:-1]) != same != hash_patches(values.view(1, -1))
    half = values.bfloat16()
    assert hash_patches(values, torch.bfloat16) == hash_patches(half) != same
    strided = torch.stack([values, values], 1)[:, 0]
    assert hash_patches(strided) == same
    assert hash_patches(torch.empty(0, 6)) != hash_patches(torch.empty(0, 7))


def test_rows_in_qwens_layout():
    grid = torch.tensor([[1, 2, 2], [1, 2, 4], [1, 2, 2]])
    pixels = torch.randn(16, 6, generator=torch.Generator().manual_seed(0))
    one, two, three = (hash_patches(part) for part in pixels.split([4, 8, 4]))
    fields = {"pixel_values": pixels, "image_grid_thw": grid}
    assert hash_rows(fields, [1, 0, 2]) == [(one,), (), (two, three)]
    arrays = {"pixel_values": pixels.numpy(), "image_grid_thw": grid.tolist()}
    assert hash_rows(arrays, [1, 0, 2]) == [(one,), (), (two, three)]
    assert hash_rows(fields, [2, 2]) == [(one, two), (three,)]  # one is missing
    assert hash_rows({}, [1, 2]) == [(), ()]


def test_rows_in_other_layouts():
    pixels = torch.randn(3, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    one, two, three = (hash_patches(part) for part in pixels)
    assert hash_rows({"pixel_values": pixels}, [1, 2]) == [(one,), (two, three)]
    assert hash_rows({"pixel_values": pixels}, [1, 1]) is None  # tiles: whose is whose is unknown


def test_rows_that_are_padded_to_one_number_of_images_are_not_told_apart():
    """Idefics: as many entries as images need not mean one image each."""
    padded = {"pixel_values": torch.zeros(4, 2, 3, 2, 2)}
    padded["pixel_attention_mask"] = torch.ones(4, 2, 2, 2)
    assert hash_rows(padded, [1, 2, 0, 1]) is None


def test_pictures_in_a_list_are_told_apart():
    """Processors that make no tensor unasked give a list, of tensors too (Command A Vision)."""
    pixels = [torch.zeros(3, 4, 4), torch.ones(3, 4, 4)]
    listed, stacked = ({"pixel_values": one} for one in (pixels, torch.stack(pixels)))
    assert hash_rows(listed, [1, 1]) == hash_rows(stacked, [1, 1])
