"""An NLVR file with pictures as bytes, for commands that read one."""

import io

from datasets import Dataset, Image

from tiny import tiny_image

SHORT = ("--batch-size", 4, "--max-new-tokens", 3)


def png(seed):
    buffer = io.BytesIO()
    tiny_image(seed, 112, 56).save(buffer, "PNG")
    return buffer.getvalue()


def write_nlvr(path, rows=6, broken=()):
    """Statements about two images each; the images of ``broken`` rows are no images."""
    table = Dataset.from_list(
        [
            {
                "identifier": f"test-{i // 2}-0-{i % 2}",
                "statement": f"There are {i} circles",
                "label": "true" if i // 2 % 2 else "false",
                "image": {"bytes": b"no image" if i in broken else png(i), "path": None},
            }
            for i in range(rows)
        ]
    )
    table.cast_column("image", Image(decode=False)).to_parquet(str(path))
    return path
