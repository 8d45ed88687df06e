import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from noisygrpo.data.cells import Root, resolve_path
from noisygrpo.data.images import ImageProblem, check_image, open_rgb, picture_size
from noisygrpo.methods.rgb import to_rgb


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def reopened(image: Image.Image, kind: str = "PNG", **options) -> Image.Image:
    opened = Image.open(BytesIO(encoded(image, kind, **options)))
    opened.load()
    return opened


def test_rgb_is_the_same_object() -> None:
    image = noise()
    assert to_rgb(image) is image


def test_transparent_parts_become_white() -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (10, 20, 30, 255))
    assert list(np.asarray(to_rgb(image))[0].tolist()) == [[255, 255, 255], [10, 20, 30]]


def test_opaque_alpha_keeps_every_value() -> None:
    rgb = noise()
    assert np.array_equal(np.asarray(to_rgb(rgb.convert("RGBA"))), np.asarray(rgb))


def test_palette_with_transparency() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 200, 0, 0])
    palette.putpixel((1, 0), 1)
    image = reopened(palette, transparency=0)
    assert image.mode == "P"
    assert np.asarray(to_rgb(image))[0].tolist() == [[255, 255, 255], [200, 0, 0]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "YCbCr", "HSV", "I", "F", "RGBA"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    result = to_rgb(noise("L").convert(mode) if mode == "LA" else noise(mode))
    assert (result.mode, result.size) == ("RGB", (64, 48))
    spread = np.asarray(result).std()
    assert spread > 30  # the picture is still there


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    values = np.array([[0, 257 * 128, 65535]], dtype=np.uint16)
    image = reopened(Image.fromarray(values))
    assert image.mode.startswith("I")
    assert np.asarray(to_rgb(image))[0, :, 0].tolist() == [0, 128, 255]


def test_cmyk_jpeg_and_one_pixel() -> None:
    result = to_rgb(reopened(Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "JPEG"))
    assert result.size == (1, 1)
    red, green, blue = result.getpixel((0, 0))
    assert red > 200 and green < 60 and blue < 60


def test_animation_gives_its_first_frame() -> None:
    frames = [Image.new("L", (4, 4), value) for value in (0, 255)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with Image.open(BytesIO(data)) as image:
        assert np.asarray(to_rgb(image)).max() == 0


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_whole_and_cut_files(kind: str) -> None:
    data = encoded(noise(), kind)
    check_image({"bytes": data, "path": None})
    for length in (0, 10, len(data) // 2, len(data) * 9 // 10):
        with pytest.raises(ImageProblem, match="broken image"):
            check_image({"bytes": data[:length], "path": None})


def test_damaged_png_and_text() -> None:
    data = bytearray(encoded(noise()))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(ImageProblem, match=r"broken image \(a.png\)"):
        check_image({"bytes": bytes(data), "path": "folder/a.png"})
    with pytest.raises(ImageProblem, match="a web page or XML"):
        check_image({"bytes": b"<html>not found</html>", "path": None})


def test_jpeg_padded_after_its_end_is_fine() -> None:
    check_image({"bytes": encoded(noise(), "JPEG") + b"\0" * 500, "path": None})


def claiming(size: int) -> bytes:
    """A small PNG whose header claims ``size`` by ``size`` pixels."""
    data = bytearray(encoded(Image.new("1", (1, 1))))
    data[16:24] = struct.pack(">II", size, size)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


@pytest.mark.parametrize("size", [9_500, 30_000])
def test_decompression_bombs(size: int) -> None:
    with pytest.raises(ImageProblem, match=r"image too large: .*pixels"):
        check_image({"bytes": claiming(size), "path": None})
    check_image({"bytes": claiming(9_000), "path": None})


def test_paths_stay_inside(tmp_path) -> None:
    root = tmp_path / "data"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "a.png").write_bytes(encoded(noise()))
    (tmp_path / "secret.png").write_bytes(encoded(noise()))
    assert resolve_path("sub/a.png", root) == str(root / "sub" / "a.png")
    assert resolve_path(str(root / "sub" / "a.png"), root) == str(root / "sub" / "a.png")
    for path in ("../secret.png", str(tmp_path / "secret.png"), "sub/../../secret.png", "", "."):
        with pytest.raises(ImageProblem, match="outside"):
            resolve_path(path, root)
    with pytest.raises(ImageProblem, match="not found"):
        resolve_path("sub/b.png", root)


def test_links_out_of_the_folder_need_image_root(tmp_path) -> None:
    root, away = tmp_path / "data", tmp_path / "away"
    for folder in (root, away):
        folder.mkdir()
    (away / "a.png").write_bytes(encoded(noise()))
    (root / "link.png").symlink_to(away / "a.png")
    (root / "folder").symlink_to(away)
    (root / "real.png").write_bytes(encoded(noise()))
    (root / "inner.png").symlink_to(root / "real.png")
    assert resolve_path("inner.png", root) == str(root / "inner.png")
    for path in ("link.png", "folder/a.png"):
        with pytest.raises(
            ImageProblem, match=f"is a link to {away}/a.png, outside .*allows links"
        ):
            resolve_path(path, root)
        assert Root(root, given=True).find(path) == str(root / path)
    linked = tmp_path / "linked"
    linked.symlink_to(root)  # the folder itself may be a link
    assert resolve_path("real.png", linked) == str(linked / "real.png")


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"<!DOCTYPE html><html>", "a web page or XML"),
        (b"  \n<html>", "a web page or XML"),
        (b"<svg xmlns=", "an SVG drawing"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"%PDF-1.7", "a PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "PostScript"),
        (b"\0\0\0\x1cftypheic", "HEIC, AVIF or a video"),
        (b'{"error": "not found"}', "JSON"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x89PNG\r\n", "begins as PNG but has no readable header"),
        (b"hello world, this is text", r"begins with b'hello world,'; read are PNG, JPEG"),
    ],
)
def test_what_stands_under_a_pictures_name_is_said(tmp_path, head, said) -> None:
    (tmp_path / "cat.jpg").write_bytes(head)
    with pytest.raises(ImageProblem, match=rf"^broken image \(cat\.jpg\): .*{said}"):
        check_image({"bytes": None, "path": str(tmp_path / "cat.jpg")})
    with pytest.raises(ImageProblem, match=rf"^broken image: .*{said}"):
        check_image({"bytes": head, "path": None})


@pytest.mark.parametrize("kind", ["EPS", "ICO", "TGA", "PCX", "SGI"])
def test_formats_that_training_does_not_need_are_not_opened(kind: str) -> None:
    data = encoded(noise(), kind)
    for look in (check_image, open_rgb, picture_size):
        with pytest.raises((ImageProblem, OSError)):
            look({"bytes": data, "path": None})


def test_sizes_from_headers_are_those_of_the_decoded_picture() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    for kind, options in [
        *((kind, {}) for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")),
        ("JPEG", {"exif": turned}),
        ("PNG", {"exif": turned}),
        ("WEBP", {"exif": turned}),
    ]:
        image = {"bytes": encoded(noise(), kind, **options), "path": None}
        assert picture_size(image) == open_rgb(image).size
        assert open_rgb(image).mode == "RGB"
        assert check_image(image) == (image["bytes"], picture_size(image))
    assert picture_size(image) == (48, 64)


def test_a_file_that_was_cut_after_it_was_checked_is_named(tmp_path) -> None:
    whole = encoded(noise(), "JPEG")
    path = tmp_path / "cat.jpg"
    path.write_bytes(whole)
    check_image({"bytes": None, "path": str(path)})
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageProblem, match=r"broken image \(cat\.jpg\): "):
        open_rgb({"bytes": None, "path": str(path)})
    with pytest.raises(ImageProblem, match="broken image: "):
        open_rgb({"bytes": path.read_bytes(), "path": None})
