"""What an evaluation can be asked."""

import pytest
from tests.evaluation.nlvr_request import request, write_rows

from noisygrpo.errors import UserError


@pytest.fixture
def data(tmp_path):
    return write_rows(tmp_path / "nlvr.parquet")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"benchmark": "nvlr"}, "benchmark: 'nvlr'"),
        ({"engine": "sglang"}, "engine"),
        ({"limit": 0}, "limit"),
        ({"robustness": ("fog",)}, "'fog' is not one of"),
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
