"""As many image tokens as features, in prompts and completions; else the row is named."""

from types import SimpleNamespace

import pytest
from trl import GRPOTrainer

from noisygrpo.errors import UserError
from noisygrpo.training.image_tokens import check_tokens
from tiny import tiny_rows
from tiny_trainer import make


def test_image_tokens_must_match_features_by_row():
    grids = {"image_grid_thw": [[1, 4, 4], [1, 2, 4], [1, 4, 4]]}  # 4, 2 and 4 features
    good = [[9] * 4 + [1], [9] * 6 + [1], [1]]
    images, rollouts = [[0], [0, 0], []], [SimpleNamespace(example_id=name) for name in "abc"]
    processor = SimpleNamespace(image_processor=SimpleNamespace(merge_size=2))

    def check(ids, fields=grids, token=9):
        shown = SimpleNamespace(ids=ids, clean=images, fields=fields)
        check_tokens(shown, rollouts, token, processor)

    check(good)
    with pytest.raises(UserError, match=r"row 'b': its prompt has 7 .* 2 image\(s\) give 6"):
        check([good[0], [9] * 7, [1]])
    check([good[0], [9] * 7, [1]], fields={"pixel_values": None})  # another layout
    check([good[0], [9] * 7, [1]], token=None)


def test_sampled_image_token_is_refused_by_name(tmp_path, monkeypatch):
    def bad(trainer, prompt_ids, *args, **kwargs):
        return [[65, trainer._image_pad_token_id, 66] for _ in prompt_ids], None

    monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", bad)
    trainer = make(tmp_path, tiny_rows(2))
    with pytest.raises(RuntimeError, match=r"row 'row-0'.*image token"):
        trainer._generate_and_score_completions([tiny_rows(1)[0]] * 8)


def test_image_token_in_the_text_is_refused_by_name(tmp_path):
    row = {**tiny_rows(1)[0], "prompt": [{"role": "user", "content": "<|image_pad|> what?"}]}
    trainer = make(tmp_path, tiny_rows(2))
    with pytest.raises((UserError, ValueError)) as error:
        trainer._generate_and_score_completions([row] * 8)
    assert "image" in str(error.value)


@pytest.mark.parametrize("token", ["<|image_pad|>", "<|video_pad|>"])
def test_a_text_with_an_image_token_is_refused_by_its_row(tmp_path, token):
    def ask(row, number):
        return {"prompt": [{"role": "user", "content": f"see {token}" if number else "see"}]}

    rows = tiny_rows(2).map(ask, with_indices=True)
    with pytest.raises(UserError, match=r"row 'row-1': the processor refuses its prompt: "):
        make(tmp_path, rows, method="noisygrpo").train()
