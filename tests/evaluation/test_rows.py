"""Rows with their images."""

from noisygrpo.evaluation.rows import Rows
from noisygrpo.evaluation.view import EvaluationView
from tiny import tiny_rows


def test_text_only_rows_have_no_images():
    rows = Rows(tiny_rows(3), EvaluationView(text_only=True))
    assert rows.open(0)["images"] == []
    assert rows.length(0)[0] is False
