"""What a kill leaves of the last line is dropped, within a sign of several bytes too."""

import pytest

from noisygrpo.errors import UserError
from noisygrpo.evaluation.files import read_lines

WHOLE = '{"example_id": "一"}\n'.encode()


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5])
def test_a_line_that_is_cut_within_a_sign_is_left_out(tmp_path, cut) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_bytes(WHOLE + '{"example_id": "二三"'.encode()[:-cut])
    assert read_lines(path) == [(1, {"example_id": "一"})]


def test_another_encoding_is_told(tmp_path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_bytes(b'{"example_id": "\xff"}\n' + WHOLE)
    with pytest.raises(UserError, match=r"samples\.jsonl: not UTF-8 text"):
        read_lines(path)
