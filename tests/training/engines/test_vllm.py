"""Rollouts through vLLM without vLLM: what the engine is given, and what is made of its answers."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from trl.generation.vllm_generation import VLLMGeneration

from noisygrpo.errors import UserError
from noisygrpo.training import parts
from noisygrpo.training.engines.vllm import VLLMEngine, fit_images, fold_images, spare_noisy
from tiny import tiny_image, tiny_rows
from tiny_trainer import make


class Engine:
    """Expands each placeholder as vLLM does, and answers every prompt with its own bytes."""

    def __init__(self, trainer):
        self.processor, self.calls, self.syncs = trainer.processing_class, [], 0
        self.trainer, self.resets = trainer, 0
        self.llm = SimpleNamespace(llm_engine=self, generate=None)

    def sync_weights(self):
        self.syncs += 1

    def reset_encoder_cache(self):
        self.resets += 1

    def expand(self, prompt, images):
        pad, left = self.trainer._image_pad_token_id, iter(images or [])
        out = []
        for token in prompt:
            if token != pad:
                out.append(token)
                continue
            one = self.processor.image_processor(next(left), return_tensors="pt")
            out += [pad] * (int(one["image_grid_thw"].prod()) // 4)
        return out

    def generate(self, prompts, images, num_generations, profiler):
        self.calls.append((prompts, images, num_generations))
        images = images or [None] * len(prompts)
        seen = [self.expand(*pair) for pair in zip(prompts, images, strict=True)]
        completions = [[65 + row % 8, 66, 258] for row in range(len(prompts))]
        return seen, completions, [[[-1.5], [-0.5], [-0.25]] for _ in prompts], None


def with_engine(tmp_path, images=(1, 2, 0), engine=Engine, **changes):
    rows = tiny_rows(3, images=images)
    settings = {"per_device_train_batch_size": 12, "method": "noisygrpo", **changes}
    mode = settings.pop("vllm_mode", "colocate")
    trainer = make(tmp_path, rows=rows, **settings)
    trainer.use_vllm, trainer.args.vllm_mode = True, mode
    trainer.vllm_generation = engine(trainer)
    trainer._engine = parts.engine(trainer, None)
    return trainer, [row for row in rows for _ in range(4)]


def test_the_engine_gets_every_rollouts_own_image(tmp_path):
    trainer, inputs = with_engine(tmp_path)
    output = trainer._generate_and_score_completions(inputs)
    (prompts, images, count), pad = trainer.vllm_generation.calls[0], trainer._image_pad_token_id
    assert count == 1
    assert [ids.count(pad) for ids in prompts] == [1] * 4 + [2] * 4 + [0] * 4
    for row, rollout, shown in zip(inputs, trainer.made.rollouts, images, strict=True):
        expected = rollout.see(row["images"])
        assert (shown or []) == expected or all(
            np.array_equal(one, other) for one, other in zip(shown, expected, strict=True)
        )
    first, second = (np.asarray(images[number][0]) for number in (0, 1))
    assert not np.array_equal(first, second)
    kept = output["sampling_per_token_logps"][0]
    assert torch.equal(kept, torch.tensor([-1.5, -0.5, -0.25]))
    assert output["completion_ids"][1].tolist() == [66, 66, 258]


def test_weights_are_synchronised_once_a_step(tmp_path):
    trainer, inputs = with_engine(tmp_path)
    for step, syncs in ((0, 1), (0, 1), (1, 2)):
        trainer.state.global_step = step
        trainer._generate_and_score_completions(inputs)
        assert trainer.vllm_generation.syncs == trainer.vllm_generation.resets == syncs


def test_another_number_of_tokens_names_the_row(tmp_path):
    trainer, inputs = with_engine(tmp_path)
    whole = trainer.vllm_generation.expand
    pad = trainer._image_pad_token_id

    def doubled(prompt, images):  # what becomes of a placeholder that was expanded before
        ids = whole(prompt, images)
        return ids + [pad] * 3 if images and len(images) == 2 else ids

    trainer.vllm_generation.expand = doubled
    with pytest.raises(UserError, match=r"row 'row-1': vLLM made \d+ tokens of its prompt"):
        trainer._generate_and_score_completions(inputs)


def test_the_correction_leaves_noisy_rollouts_alone(tmp_path):
    trainer, inputs = with_engine(tmp_path, vllm_importance_sampling_correction=True)
    trainer.vllm_importance_sampling_correction = True
    trainer.vllm_importance_sampling_mode = "token_truncate"
    ratio = trainer._generate_and_score_completions(inputs)["importance_sampling_ratio"]
    noisy = torch.tensor([rollout.noisy for rollout in trainer.made.rollouts])
    assert ratio.shape == (12, 3) and 0 < noisy.sum() < 12
    assert (ratio[noisy] == 1).all()
    assert (ratio[~noisy] != 1).all()


@pytest.mark.parametrize(("noise_at", "size"), [("file", (56, 28)), ("model", (56, 56))])
def test_images_come_at_the_size_of_the_runs_limits(tmp_path, noise_at, size):
    """64 x 48 pixels fit the limits with the picture's shape; the processor makes whole patches."""
    rows = [{**row, "images": [tiny_image(n, 112, 84)]} for n, row in enumerate(tiny_rows(3))]
    trainer, _ = with_engine(tmp_path, max_pixels=56 * 56, noise_at=noise_at)
    trainer.vllm_generation.processor = make(tmp_path).processing_class  # the folder's own limits
    trainer._generate_and_score_completions([row for row in rows for _ in range(4)])
    sizes = {image.size for row in trainer.vllm_generation.calls[0][1] for image in row}
    assert sizes == {size}


class Client:
    """Records what a vLLM server is asked."""

    base_url = "http://server"
    status, length = 200, 4

    def __init__(self):
        self.asked, self.posted, self.session = [], [], self

    def post(self, url):
        self.posted.append(url)
        return SimpleNamespace(status_code=self.status)

    def image_features(self, images):
        self.images, place = images, {"offset": 1, "length": self.length}
        return [row and {"mm_placeholders": {"image": [place] * len(row)}} for row in images]

    def generate(self, prompts, features, n, **sampling):
        self.asked.append((prompts, features, n))
        many = len(prompts) * n
        return {
            "prompt_ids": prompts,
            "completion_ids": [[65, 66, 258]] * many,
            "logprobs": [[[-1.0]] * 3] * many,
        }


def server(trainer):
    """Return TRL's own engine for a server, with a client that only records."""
    engine = object.__new__(VLLMGeneration)
    sampling = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": None}
    vars(engine).update(
        mode="server",
        accelerator=trainer.accelerator,
        processing_class=SimpleNamespace(image_token_id=trainer._image_pad_token_id),
        vllm_client=Client(),
        repetition_penalty=1.0,
        max_completion_length=6,
        logprobs=0,
        structured_outputs_regex=None,
        generation_kwargs={},
        sync_weights=lambda: None,
        **sampling,
    )
    return engine


def test_a_server_is_sent_every_view(tmp_path):
    trainer, inputs = with_engine(tmp_path, images=(1,), engine=server, vllm_mode="server")
    trainer._generate_and_score_completions(inputs)
    client = trainer.vllm_generation.vllm_client
    prompts, features, n = client.asked[0]
    assert (len(prompts), len(client.images), n) == (12, 12, 1)
    assert client.posted == ["http://server/reset_encoder_cache"]
    pixels = {np.asarray(row[0]).tobytes() for row in client.images}
    assert len(pixels) == 12  # three prompts, three levels of noise and the clean image each
    places = [place["mm_placeholders"]["image"][0] for place in features]
    assert all(place["length"] == 4 for place in places)


def test_a_server_is_asked_once_a_prompt_where_views_are_clean(tmp_path):
    changes = {"method": "grpo", "vllm_importance_sampling_correction": False}
    trainer, inputs = with_engine(
        tmp_path, images=(1,), engine=server, vllm_mode="server", **changes
    )
    trainer._generate_and_score_completions(inputs)
    prompts, _, n = trainer.vllm_generation.vllm_client.asked[0]
    assert (len(prompts), n) == (3, 4)


def test_an_image_of_another_length_on_the_server_names_the_row(tmp_path):
    trainer, inputs = with_engine(tmp_path, images=(1,), engine=server, vllm_mode="server")
    engine = trainer.vllm_generation
    engine.vllm_client.length = 6
    with pytest.raises(UserError, match=r"row 'row-0': vLLM made (\d+) tokens of its prompt"):
        trainer._generate_and_score_completions(inputs)
    assert engine.vllm_client.asked == []
    engine.vllm_client.length = 4  # what was put around TRL's method is gone
    trainer._generate_and_score_completions(inputs)
    assert len(engine.vllm_client.asked) == 1


def test_a_server_that_keeps_image_features_is_refused(tmp_path):
    trainer, inputs = with_engine(tmp_path, images=(1,), engine=server, vllm_mode="server")
    trainer.vllm_generation.vllm_client.status = 404
    with pytest.raises(UserError, match="answers 404 to /reset_encoder_cache"):
        trainer._generate_and_score_completions(inputs)


def test_folding_and_fitting():
    assert fold_images([1, 9, 9, 9, 2, 9, 3], 9) == [1, 9, 2, 9, 3]
    assert fold_images([9, 9], 9) == [9]
    image = Image.new("RGB", (60, 30))
    same, other = Image.new("RGB", (28, 28)), None
    fitted = fit_images([[image, same], other], [[1, 2, 4], [1, 2, 2]], 14)
    assert [item.size for item in fitted[0]] == [(56, 28), (28, 28)]
    assert fitted[0][1] is same and fitted[1] is None


class Words:
    """An engine without a trainer: it says back what it was sent."""

    def __init__(self):
        self.sent, self.done, self.length = [], [], 1
        self.llm = SimpleNamespace(llm_engine=self, generate=None)

    def sync_weights(self):
        self.done.append("sync")

    def reset_encoder_cache(self):
        self.done.append("reset")

    def generate(self, prompts, images, num_generations, profiler):
        self.sent.append((prompts, images, num_generations))
        seen = [
            [token for one in ids for token in [one] * (3 if one == 9 else 1)] for ids in prompts
        ]
        return seen, [(5, 6)] * len(prompts), [[[-1.0, -2.0], [-3.0]]] * len(prompts), None


def sample(words, ids, images, fields, training=True, step=0, **settings):
    plain = {"noisy": True, "vllm_mode": "colocate", "max_pixels": None, "min_pixels": None}
    engine = VLLMEngine(
        words,
        SimpleNamespace(**{**plain, **settings}),
        SimpleNamespace(image_processor=SimpleNamespace(patch_size=14)),
        image_token=9,
        step=lambda: step,
        main=True,
        profile=lambda name: words.done.append(name) or nullcontext(),
    )
    rollouts = [SimpleNamespace(example_id=name) for name in "abcd"]
    return engine.sample(rollouts, training, ids, images, fields, 4)


GRID = {"image_grid_thw": [[1, 2, 2]]}


@pytest.mark.parametrize(
    ("noisy", "training", "count"),
    [(True, True, 1), (True, False, 4), (False, True, 4), (False, False, 4)],
)
def test_only_noisy_training_sends_every_prompt_alone(noisy, training, count):
    words = Words()
    completions, log_probs = sample(words, [[1, 2]] * 4, None, {}, training, noisy=noisy)
    assert words.sent == [([[1, 2]] * 4, None, count)]
    assert completions == [[5, 6]] * 4 and log_probs == [[-1.0, -3.0]] * 4


def test_placeholders_are_folded_for_the_engine_of_this_process():
    words, image = Words(), Image.new("RGB", (28, 28))
    sample(words, [[1, 9, 9, 9, 2]] * 4, [[image]] * 4, GRID)
    assert words.sent[0][0] == [[1, 9, 2]] * 4 and words.sent[0][1] == [[image]] * 4
    assert words.done == ["sync_weights", "sync", "reset", "vLLM.generate"]


def test_rows_sampled_again_are_named_by_all_that_they_may_be():
    with pytest.raises(UserError, match="row 'a or b or c or d': vLLM made 5 tokens"):
        sample(Words(), [[1, 9, 9, 2]], [[Image.new("RGB", (28, 28))]], GRID)
    with pytest.raises(UserError, match="row 'c': vLLM made 5 tokens"):
        ids = [[1, 9, 9, 9, 2]] * 2 + [[1, 9, 9, 2]] + [[1, 9, 9, 9, 2]]
        sample(Words(), ids, [[Image.new("RGB", (28, 28))]] * 4, GRID)


def test_other_layouts_and_texts_go_as_they_are():
    words = Words()
    sample(words, [[1, 2]] * 4, [None] * 4, {"pixel_values": None}, max_pixels=1)
    assert words.sent == [([[1, 2]] * 4, [None] * 4, 1)]


def test_weights_of_importance_are_one_for_noisy_rollouts_only():
    rollouts = [SimpleNamespace(noisy=noisy) for noisy in (False, True)]
    batch = {"importance_sampling_ratio": torch.tensor([[0.5, 0.25], [0.5, 0.25]])}
    spare_noisy(batch, rollouts)
    assert batch["importance_sampling_ratio"].tolist() == [[0.5, 0.25], [1.0, 1.0]]
    spare_noisy(empty := {}, rollouts)
    assert empty == {}
