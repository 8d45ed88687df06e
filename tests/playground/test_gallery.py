"""Pictures that are looked at once, and features that are spread evenly."""

import numpy as np
import torch
from tests.playground.small_processor import small_processor

from noisygrpo.playground.gallery import hang, spread
from noisygrpo.playground.lessons import chat_text
from noisygrpo.playground.model import build_model
from noisygrpo.playground.scene import render, sample_scene
from noisygrpo.playground.seeing import labelled


def test_a_picture_looked_at_once_gives_the_model_what_it_would_see():
    processor = small_processor()
    model = build_model(processor.tokenizer).eval()
    gallery = hang(model.model.visual, processor, np.random.default_rng(0), 3)
    turns = [("Describe the left box.", "black circle"), ("How many?", "two of them")]
    texts = [chat_text(processor, [turn], image=True) for turn in turns]
    chosen = [2, 0]
    once = gallery.batch(processor, texts, chosen)
    pictures = [[render(gallery.scenes[n])] for n in chosen]
    usual = processor(
        text=texts, images=pictures, return_tensors="pt", padding=True, padding_side="right"
    )
    for name in ("input_ids", "attention_mask", "mm_token_type_ids", "image_grid_thw"):
        assert torch.equal(once[name], usual[name]), name
    with torch.no_grad():
        one, two = model(**once).logits, model(**usual).logits
    real = usual["attention_mask"].bool()
    assert (one - two)[real].abs().max() < 0.05 * two[real].std()  # features are kept in bfloat16


def test_spreading_folds_an_affine_map_into_the_tower():
    processor = small_processor()
    tower = build_model(processor.tokenizer).model.visual
    rng = np.random.default_rng(1)
    batch = labelled(processor, [sample_scene(rng) for _ in range(24)])

    def features():
        with torch.no_grad():
            grid = batch["image_grid_thw"]
            return tower(batch["pixel_values"], grid_thw=grid).pooler_output

    before = features()
    spread(tower, processor, np.random.default_rng(2), floor=0.01)
    after = features()
    values = torch.linalg.eigvalsh(torch.cov(after.T))
    assert values.max() < 3 and after.mean(0).norm() < 0.6 * after.std(0).norm()
    # nothing is lost: the old features are an affine function of the new ones
    known = torch.cat([after, torch.ones(len(after), 1)], 1).double()
    again = known @ torch.linalg.lstsq(known, before.double()).solution
    assert (again - before).abs().max() < 1e-2 * before.std()
