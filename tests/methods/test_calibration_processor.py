"""The processor alone, on a model whose logits tell what it has read."""

from types import SimpleNamespace

import pytest
import torch

from noisygrpo.methods.calibration import TextBiasCalibration, calibrated_generate


class Reader(torch.nn.Module):
    """Stands for a model: its next logits tell all tokens that it has read, cached or not."""

    generation_config = SimpleNamespace(num_beams=None)

    def __init__(self):
        super().__init__()
        self.read, self.orders, self.given = [], [], None

    def forward(
        self, input_ids, attention_mask, position_ids, past_key_values, use_cache, return_dict
    ):
        self.read.append(input_ids.shape[1])
        past = past_key_values.tokens if past_key_values else input_ids[:, :0]
        tokens = torch.cat([past, input_ids * attention_mask[:, past.shape[1] :]], 1)
        assert tokens.shape == attention_mask.shape
        weights = torch.arange(1, tokens.shape[1] + 1) ** 2.0
        last = (tokens * weights).sum(1, keepdim=True) * SLOPES
        cache = SimpleNamespace(tokens=tokens)

        def reorder_cache(order):
            self.orders.append(order.tolist())
            cache.tokens = cache.tokens[order]

        cache.reorder_cache = reorder_cache
        return SimpleNamespace(logits=last[:, None], past_key_values=cache)

    def generate(self, **given):
        self.given = given
        return "generated"


SEEN, SLOPES = torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[0.0, 0.01, -0.02]])
TEXT = torch.tensor([[0, 5], [6, 7]])  # the first is padded
TEXT_MASK = torch.tensor([[0, 1], [1, 1]])


def begin(model, copies, scale=0.8, **settings):
    """A processor that has seen two prompts of one token, with as many answers to each."""
    calibration = TextBiasCalibration(model, TEXT, TEXT_MASK, scale, **settings)
    none = torch.zeros(2 * copies, 0, dtype=torch.long)
    return calibration, scores_after(calibration, none)


def scores_after(calibration, answers):
    answers = torch.as_tensor(answers)
    prompts = torch.tensor([[1], [2]]).repeat_interleave(len(answers) // 2, 0)
    scores = SEEN.expand(len(answers), -1)
    return calibration(torch.cat([prompts, answers], 1), scores)


@pytest.mark.parametrize("beams", [False, True])
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_the_scores_are_the_formula(scale, beams):
    settings = {"beams": True} if beams else {}
    calibration, found = begin(Reader(), 1, scale, **settings)
    for read in ([4 * 5, 6 + 4 * 7], [4 * 5 + 9 * 3, 6 + 4 * 7 + 9 * 4]):  # padding is not seen
        blind = torch.tensor(read)[:, None] * SLOPES
        expected = SEEN + scale * (SEEN - blind)
        torch.testing.assert_close(found, expected.log_softmax(-1) if beams else expected)
        found = scores_after(calibration, [[3], [4]])


THEN = [[3, 8], [4, 8], [5, 8], [6, 8]]  # two answers to each prompt


@pytest.mark.parametrize(
    ("now", "order"),
    [
        ([[3, 8, 1], [4, 8, 2], [5, 8, 3], [6, 8, 4]], []),
        ([[4, 8, 1], [3, 8, 2], [5, 8, 3], [6, 8, 4]], [1, 0, 2, 3]),
        ([[4, 8, 1], [4, 8, 2], [6, 8, 3], [6, 8, 4]], [1, 1, 3, 3]),
        # What the cache holds is of no use: another prompt's answer, a changed one, all changed, a
        # shorter and a much longer one.
        ([[3, 8, 1], [4, 8, 2], [3, 8, 3], [6, 8, 4]], None),
        ([[3, 9, 1], [4, 8, 2], [5, 8, 3], [6, 8, 4]], None),
        ([[9, 8, 1], [9, 8, 2], [9, 8, 3], [9, 8, 4]], None),
        ([[3], [4], [5], [6]], None),
        ([[3, 8, 1, 1], [4, 8, 1, 1], [5, 8, 1, 1], [6, 8, 1, 1]], None),
    ],
)
def test_the_cache_follows_the_answers_of_each_prompt(now, order):
    used, fresh = Reader(), Reader()
    calibration, _ = begin(used, 2)
    scores_after(calibration, THEN)
    used.read.clear()
    found = scores_after(calibration, now)
    assert used.orders == ([order] if order else [])
    assert used.read == [2 + len(now[0]) if order is None else 1]
    expected = scores_after(begin(fresh, 2)[0], now)
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("settings", "beams"),
    [
        ({}, False),
        ({"num_beams": 1}, False),
        ({"num_beams": 2}, True),
        ({"generation_config": SimpleNamespace(num_beams=2)}, True),
        ({"generation_config": SimpleNamespace(num_beams=2), "num_beams": 1}, False),
    ],
)
def test_generate_gets_a_processor_after_those_it_has(settings, beams):
    model, inputs = Reader(), {"input_ids": TEXT}
    text = {"input_ids": TEXT, "attention_mask": TEXT_MASK}
    others = ["another"]
    output = calibrated_generate(model, inputs, text, 1.0, logits_processor=others, **settings)
    first, calibration = model.given.pop("logits_processor")
    assert output == "generated" and model.given == {**inputs, **settings}
    assert first == "another" and others == ["another"]
    assert (calibration.scale, calibration.beams) == (1.0, beams)
