"""Changes to files of a folder, what a model is shown from it, and the line that a call ends in."""

import json

import pytest
from PIL import Image

from noisygrpo.errors import UserError
from noisygrpo.evaluation.generate import build_inputs
from noisygrpo.models.loading import load_any_processor
from noisygrpo.models.spec import ModelSpec

ROW = {
    "prompt": [{"role": "user", "content": "How many?"}],
    "images": [Image.new("RGB", (56, 56), (200, 10, 20))],
    "example_id": "row",
}


def edit(path, **changes):
    content = json.loads(path.read_text())
    for key, value in changes.items():
        content[key] = value
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def inputs(folder, **options):
    return build_inputs(load_any_processor(ModelSpec(str(folder), **options)), [ROW])


def line(call, *args, **kwargs):
    """The message of the error that a call ends in; it is one line."""
    with pytest.raises(UserError) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)
