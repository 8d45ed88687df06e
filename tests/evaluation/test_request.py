"""What an evaluation can be asked."""

import pytest
from datasets import Dataset

from noisygrpo.errors import UserError
from noisygrpo.evaluation.run import EvaluationRequest
from tiny import tiny_image


@pytest.fixture
def data(tmp_path):
    rows = [
        {
            "identifier": f"test-{i // 2}-0-{i % 2}",
            "statement": f"There are {i} circles",
            "label": "true" if i // 2 % 2 else "false",
            "image": tiny_image(i, 112, 56),
        }
        for i in range(6)
    ]
    path = tmp_path / "nlvr.parquet"
    Dataset.from_list(rows).to_parquet(str(path))
    return str(path)


def request(tmp_path, data, **options):
    fields = {
        "model": "tiny",
        "benchmark": "nlvr",
        "data": data,
        "batch_size": 4,
        "max_new_tokens": 3,
    }
    return EvaluationRequest(**{**fields, "out_dir": str(tmp_path / "out"), **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"benchmark": "nvlr"}, "benchmark: 'nvlr'"),
        ({"engine": "sglang"}, "engine"),
        ({"limit": 0}, "limit"),
        ({"robustness": ("fog",)}, "'fog', allowed are"),
        ({"robustness": ("blur",), "noise_level": 0.5}, "it sets noise_level"),
        ({"robustness": ("blur",), "judge_url": "http://a", "judge_model": "a"}, "second judge"),
        ({"judge_url": "http://a"}, "judge model"),
        ({"judge_url": "ftp://a", "judge_model": "a"}, "judge url"),
        ({"max_pixels": 0}, "max_pixels: 0"),
        ({"noise_level": 2.0}, "noise level"),
        ({"top_p": 0.0}, "top_p"),
    ],
)
def test_wrong_requests(tmp_path, data, options, message):
    with pytest.raises(UserError, match=message):
        request(tmp_path, data, **options)
