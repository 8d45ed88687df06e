"""The playground's model: it loads and reads like any Qwen2.5-VL; its speed-up changes nothing."""

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, Qwen2_5_VLForConditionalGeneration

from noisygrpo.playground import (
    batch_vision_windows,
    is_playground,
    load_processor,
    make_example,
    model_path,
)
from noisygrpo.playground.lessons import IGNORE, PATCH_CLASSES, converse, patch_labels, see
from noisygrpo.playground.model import SPECIAL, TAGS, build_model, build_processor, build_tokenizer
from noisygrpo.playground.scene import Item, Scene
from noisygrpo.playground.teacher import HASTY_THOUGHT, demonstration
from noisygrpo.playground.warmstart import (
    WarmStart,
    learning_rate,
    tokenizer_texts,
    train,
)


def _processor():
    return build_processor(build_tokenizer(tokenizer_texts(60)))


def _chat(processor, question, **options):
    content = [{"type": "image"}, {"type": "text", "text": question}]
    return processor.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, **options
    )


def test_the_shipped_model_is_a_small_qwen25_vl_that_answers_in_the_asked_form():
    model = AutoModelForImageTextToText.from_pretrained(model_path(), dtype=torch.float32)
    assert isinstance(model, Qwen2_5_VLForConditionalGeneration)
    assert 2e6 < sum(p.numel() for p in model.parameters()) < 6e6
    assert sum(f.stat().st_size for f in model_path().iterdir()) <= 12 * 2**20
    assert is_playground(model_path())
    processor = load_processor(model_path())
    example = make_example("test", 0)
    text = _chat(processor, example["prompt"][0]["content"], add_generation_prompt=True)
    inputs = processor(text=[text], images=[example["images"]], return_tensors="pt")
    ids = model.generate(**inputs, max_new_tokens=96, do_sample=False)[
        0, inputs["input_ids"].shape[1] :
    ]
    said = processor.tokenizer.decode(ids, skip_special_tokens=True)
    assert said.startswith("<think>") and said.endswith("</answer>")


def test_the_chat_layout_is_qwens():
    text = _chat(_processor(), "hi", add_generation_prompt=True)
    assert text == (
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>hi<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_pictures_are_not_resampled_and_sizes_are_dynamic():
    processor = _processor()
    for (width, height), tokens in (((400, 100), 100), ((200, 160), 80)):
        image = Image.fromarray(np.zeros((height, width, 3), np.uint8))
        inputs = processor(text=[_chat(processor, "hi")], images=[[image]], return_tensors="pt")
        image_id = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
        assert int((inputs["input_ids"] == image_id).sum()) == tokens


def test_any_text_survives_the_tokenizer_and_tags_are_single_tokens():
    tokenizer = _processor().tokenizer
    text = "<think>Größe 27? 漢字</think><answer>false</answer>"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert all(len(tokenizer(tag)["input_ids"]) == 1 for tag in (*TAGS, *SPECIAL))


def test_windows_in_one_call_give_the_same_logits_and_gradients():
    processor = _processor()
    batch = converse(processor, 0, "look", 0, 2)
    results = []
    for fast in (False, True):
        model = build_model(processor.tokenizer, seed=1)
        if fast:
            assert batch_vision_windows(model) == 4
        out = model(**batch)
        out.loss.backward()
        results.append((out.logits.detach(), model.model.visual.patch_embed.proj.weight.grad))
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-4, atol=1e-7)


def test_pictures_of_different_sizes_take_the_original_path():
    processor = _processor()
    images = [[Image.new("RGB", (400, 100), "grey")], [Image.new("RGB", (120, 60), "white")]]
    text = [_chat(processor, "hi")] * 2
    inputs = processor(text=text, images=images, return_tensors="pt", padding=True)
    stock, fast = (build_model(processor.tokenizer, seed=1).eval() for _ in range(2))
    batch_vision_windows(fast)
    with torch.no_grad():
        assert torch.equal(stock(**inputs).logits, fast(**inputs).logits)


def test_only_assistant_turns_are_learned():
    processor = _processor()
    batch = converse(processor, 0, "look", 3, 1, questions=2)
    learned = processor.tokenizer.decode(batch["labels"][0][batch["labels"][0] >= 0])
    turns = learned.split("<|im_end|>")
    assert turns[-1] == "" and len(turns) - 1 == 2
    assert "user" not in learned and learned.count("<answer>") == 2


def test_the_hasty_share_is_the_share_of_turns_without_looking():
    rng = np.random.default_rng(0)
    turns = [text for _ in range(150) for _, text in demonstration(rng, 3, 0.6)[1]]
    assert 0.53 < sum(HASTY_THOUGHT in text for text in turns) / len(turns) < 0.67
    careful = [text for _ in range(20) for _, text in demonstration(rng, 3, 0.0)[1]]
    assert not any(HASTY_THOUGHT in text for text in careful)


def test_the_words_of_a_guess_are_whole_tokens():
    assert _processor().tokenizer.tokenize(HASTY_THOUGHT) == ["A", "Ġquick", "Ġguess", "."]


def test_a_patch_is_named_after_the_item_that_covers_it_and_the_centre_it_holds():
    big = Item("square", "yellow", "big", 0, 0)
    speck = Item("circle", "black", "small", 65, 65)  # a quarter of each of four patches
    labels = patch_labels(Scene(((big,), (speck,), ()), stacked=False))
    yellow_big_square = 1 + (2 * 3 + 2) * 3 + 2
    black_small_circle = 1
    assert labels.cover.shape == (10, 40) and PATCH_CLASSES == 28
    assert (labels.cover[:3, :3] == yellow_big_square).all()
    assert (labels.cover[6:8, 21:23] == black_small_circle).all()
    assert np.count_nonzero(labels.cover) == 9 + 4
    assert np.argwhere(labels.centre).tolist() == [[1, 1], [7, 22]]
    assert labels.edge[1, 1] == 1 and labels.edge[7, 22] == 0  # only the square is at the side
    assert (labels.edge != IGNORE).sum() == 2


def test_patch_labels_follow_the_order_of_the_vision_tower():
    processor = _processor()
    batch = see(processor, 0, 0, 2)
    pixels = batch["pixel_values"].reshape(-1, 3, 2, 10, 10)[:, :, 0]
    cover = batch["cover"].reshape(-1)
    assert len(pixels) == len(cover) and int((cover > 0).sum()) > 20
    # what is covered by a yellow item has less blue than red; an empty patch is one grey
    yellow = torch.tensor([name > 0 and (name - 1) // 3 % 3 == 2 for name in cover.tolist()])
    red_minus_blue = (pixels[:, 0] - pixels[:, 2]).amax((1, 2))
    assert bool(yellow.any()) and bool((red_minus_blue[yellow] > 1.0).all())
    assert float(red_minus_blue[cover == 0].median()) < 0.3


def test_reasoning_is_learned_without_pictures_and_without_the_descriptions():
    processor = _processor()
    batch = converse(processor, 0, "reason", 0, 2, questions=2)
    assert "pixel_values" not in batch
    learned = processor.tokenizer.decode(batch["labels"][0][batch["labels"][0] >= 0])
    assert learned.count("Step 1:") == learned.count("<answer>") == 2
    assert learned.count("gives") >= 2
    assert not any(f": {box}" in learned for box in ("left", "middle", "right"))


def test_the_warm_start_is_reproducible_and_its_checkpoint_loads(tmp_path):
    settings = WarmStart(
        tokenizer_rows=60,
        see_steps=1,
        reason_steps=1,
        look_steps=1,
        join_steps=1,
        habit_steps=1,
        batch=2,
        questions=1,
        log_every=9,
    )
    states = [train(settings, tmp_path / name).state_dict() for name in ("one", "two")]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    loaded = AutoModelForImageTextToText.from_pretrained(
        tmp_path / "one", dtype=torch.bfloat16
    ).state_dict()
    for key, tensor in loaded.items():
        assert torch.equal(tensor, states[0][key].to(torch.bfloat16)), key


def test_the_learning_rate_warms_up_and_falls():
    rates = [learning_rate(1.0, step, 100, warmup=10) for step in range(100)]
    assert rates[0] == 0.1 and max(rates) == rates[10] == 1.0 and rates[99] < 0.06
