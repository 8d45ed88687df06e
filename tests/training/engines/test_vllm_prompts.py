"""Whether vLLM reads the prompt that is scored: by tokens, and by the lengths of images."""

from types import SimpleNamespace

import pytest

from noisygrpo.errors import UserError
from noisygrpo.training.engines.vllm_prompts import check_lengths, check_prompt


def test_equal_tokens_pass_whatever_holds_them():
    check_prompt("a", (1, 2), [1, 2])
    with pytest.raises(UserError, match="row 'a': vLLM made 3 tokens of its prompt, the processor"):
        check_prompt("a", [1, 2], [1, 2, 2])
    with pytest.raises(UserError, match="vLLM made 2 tokens of its prompt, the processor 2"):
        check_prompt("a", [1, 2], [1, 3])


def features(*lengths):
    places = [{"offset": 0, "length": length} for length in lengths]
    return {"mm_placeholders": {"image": places}}


class Engine:
    """Places as many features as the prompt has of each image token: 9, then 8."""

    def _place_features(self, given, prompt):
        counts = [prompt.count(token) for token in (9, 8)]
        return given and features(*[count for count in counts if count])


def place(engine, rows, *prompts):
    with check_lengths(engine, rows):
        return [engine._place_features(given, prompt) for given, prompt in prompts]


def test_images_of_equal_length_are_placed_by_trl():
    prompts = [(features(2), [1, 9, 9]), (None, [1]), (features(1, 2), [9, 1, 8, 8])]
    found = place(Engine(), ["a", "b", "c"], *prompts)
    assert found == [features(2), None, features(1, 2)]


@pytest.mark.parametrize(
    ("given", "theirs"), [(features(3), 4), (features(1), 2), (features(2, 1), 4)]
)
def test_another_length_names_its_row(given, theirs):
    engine = Engine()
    prompts = [(None, [1]), (given, [1, 9, 9])]
    with pytest.raises(UserError, match=rf"row 'b': vLLM made {theirs} tokens .* processor 3"):
        place(engine, ["a", "b"], *prompts)
    assert engine._place_features.__self__ is engine  # TRL's own again


def test_what_cannot_be_compared_is_not():
    given = [(features(7), [1, 9, 9])]
    assert place(Engine(), [None], *given) == place(Engine(), None, *given) == [features(2)]
    engine = SimpleNamespace()  # one in this process places nothing
    with check_lengths(engine, None):
        assert vars(engine) == {}
