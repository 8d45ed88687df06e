"""What TRL would add to a published loss by default is left out, for a method and its baseline."""

import pytest

from noisygrpo.recipes.layers import recipe_names
from noisygrpo.recipes.recipe import load_recipe

PUBLISHED = [name for name in recipe_names() if name.split("-")[0] in (
    "noisygrpo", "noisyrollout", "hint", "papo", "vppo", "vision",
)]  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_kl_term_is_plain_k3_and_vllm_is_not_corrected_for(name: str) -> None:
    training = load_recipe(name).training
    if training["beta"] > 0:
        assert training["use_bias_correction_kl"] is False
    if training.get("use_vllm"):
        assert training["vllm_importance_sampling_correction"] is False


def test_there_are_published_recipes_with_and_without_a_kl_term() -> None:
    kl = [load_recipe(name).training["beta"] > 0 for name in PUBLISHED]
    assert any(kl) and not all(kl)
