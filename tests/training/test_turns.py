"""Tools, environments and rollout functions: as TRL has them, whole in the records, or refused."""

import json

import pandas as pd
import pytest
import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer
from trl.chat_template_utils import qwen3_vl_chat_template

from noisygrpo.errors import UserError
from noisygrpo.training.batch import spoken, without_pictures
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.trainer import NoisyGRPOTrainer
from tiny import tiny_image, tiny_qwen25vl, tiny_rows, tiny_settings

ASK = [{"role": "user", "content": "look"}]
CALL = '<tool_call>\n{"name": "look", "arguments": {}}\n</tool_call><|im_end|>'


def look() -> list:
    """
    Look at the picture.

    Returns:
        The picture.
    """
    return [{"type": "image", "image": tiny_image(3)}, {"type": "text", "text": "here"}]


def tell() -> str:
    """
    Tell something.

    Returns:
        A text.
    """
    return "a text"


class Room:
    """An environment that asks the question and knows the answer."""

    def reset(self, prompt) -> str:  # the one column that TRL's placeholder has
        self.looked = 0
        return " What is there?"

    def look(self) -> str:
        """
        Look around.

        Returns:
            What is there.
        """
        self.looked += 1
        return "a lamp"

    def get_reward(self) -> float:
        return float(self.looked)


class AskedRoom(Room):
    """One that is given the row."""

    def reset(self, prompt=None, **columns) -> str:
        self.columns = columns
        return super().reset(prompt)


def by_length(completions, **columns):
    return [float(len(completion[-1]["content"]) % 7) for completion in completions]


def scripted(monkeypatch, call=CALL):
    """Let every second row call the tool and then stop; keep what each turn was given."""
    given = []

    def turn(trainer, prompt_ids, images, fields, num_generations, has_tool_images=False):
        given.append({"prompts": prompt_ids, "images": images, "fields": fields})
        said = "done<|im_end|>"
        texts = [call if len(given) % 2 and row % 2 else said for row in range(len(prompt_ids))]
        texts = [text if row % 3 else f"x{text}" for row, text in enumerate(texts)]
        if len(given) % 2 == 0:
            texts = [said] * len(prompt_ids)
        return [list(trainer._tokenizer(text)["input_ids"]) for text in texts], None

    monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", turn)
    return given


def settings(tmp_path, **changes):
    changes = {"max_completion_length": 200, "max_steps": 2, "learning_rate": 1e-2, **changes}
    return tiny_settings(tmp_path, **changes)


def build(
    tmp_path, cls=NoisyGRPOTrainer, config=NoisyGRPOConfig, rows=None, rewards=by_length, **k
):
    more = {
        name: k.pop(name) for name in ("tools", "environment_factory", "rollout_func") if name in k
    }
    model, processor = tiny_qwen25vl()
    processor.chat_template = qwen3_vl_chat_template
    return cls(
        model, rewards, config(**settings(tmp_path, **k)), rows, processing_class=processor, **more
    )


def lines(tmp_path):
    return [json.loads(line) for line in (tmp_path / "rollouts.jsonl").read_text().splitlines()]


def weights(trainer):
    return torch.cat([parameter.detach().flatten() for parameter in trainer.model.parameters()])


@pytest.mark.parametrize("images", [0, 1])
def test_tools_that_return_pictures_train_as_in_trl(tmp_path, monkeypatch, images):
    rows = tiny_rows(4, images=(images,)) if images else Dataset.from_dict({"prompt": [ASK] * 4})
    given = scripted(monkeypatch)
    ours = build(tmp_path / "ours", rows=rows, tools=[look])
    ours.train()
    second = given[1]
    called = list(range(1, 8, 2))
    assert len(second["prompts"]) == len(called)
    assert [len(pictures) for pictures in second["images"]] == [images + 1] * len(called)
    assert len(second["fields"]["image_grid_thw"]) == (images + 1) * len(called)

    given.clear()
    trl = build(tmp_path / "trl", GRPOTrainer, GRPOConfig, rows=rows, tools=[look])
    trl.train()
    assert torch.equal(weights(ours), weights(trl))
    assert not torch.equal(
        weights(ours), torch.cat([p.flatten() for p in tiny_qwen25vl()[0].parameters()])
    )


def test_every_turn_is_recorded(tmp_path, monkeypatch):
    scripted(monkeypatch)
    rows = Dataset.from_dict({"prompt": [ASK] * 4, "example_id": list("abcd")})
    build(tmp_path, rows=rows, tools=[look], max_steps=1).train()
    records = lines(tmp_path)
    assert [len(record["turns"]) for record in records] == [1, 3] * 4
    call, answer, last = records[1]["turns"]
    assert call["tool_calls"][0]["function"]["name"] == "look"
    assert answer == {
        "role": "tool",
        "name": "look",
        "content": [{"type": "image"}, {"type": "text", "text": "here"}],
    }
    assert last["content"] == "done"
    assert records[1]["completion"] == f"{call['content']}\ndone"
    # What the tool gave is not the model's, as in TRL's completion lengths.
    assert records[1]["completion_tokens"] == len(CALL) - len("<|im_end|>") + 1 + len("done") + 1
    assert not records[1]["truncated"]


def test_turns_in_parquet(tmp_path, monkeypatch):
    scripted(monkeypatch)
    rows = Dataset.from_dict({"prompt": [ASK] * 4})
    build(tmp_path, rows=rows, tools=[look], max_steps=1, rollouts_format="parquet").train()
    table = pd.read_parquet(tmp_path / "rollouts" / "step-000001.parquet")
    assert [len(json.loads(turns)) for turns in table["turns"]] == [1, 3] * 4


def test_a_sampled_image_token_is_still_refused(tmp_path, monkeypatch):
    scripted(monkeypatch, call=f"<|image_pad|>{CALL}")
    rows = Dataset.from_dict({"prompt": [ASK] * 4, "example_id": list("abcd")})
    with pytest.raises(RuntimeError, match="the completion contains the image token"):
        build(tmp_path, rows=rows, tools=[look]).train()


def test_an_environment_without_a_data_set(tmp_path, monkeypatch):
    scripted(monkeypatch)
    trainer = build(tmp_path, rewards=None, environment_factory=Room, max_steps=2)
    trainer.train()
    records = lines(tmp_path)
    assert [record["reward"] for record in records] == [0.0, 1.0] * 8
    assert records[1]["prompt"][-1]["content"] in (
        " What is there?",
        [{"type": "text", "text": " What is there?"}],
    )
    assert [turn["role"] for turn in records[1]["turns"]] == ["assistant", "tool", "assistant"]
    assert records[0]["example_id"] == records[1]["example_id"]


def test_an_environment_is_given_the_row_and_no_more(tmp_path, monkeypatch):
    scripted(monkeypatch)
    rows = Dataset.from_dict({"environment": ["one", "two"] * 2, "word": list("abcd")})
    rooms = {"one": AskedRoom, "two": AskedRoom}
    trainer = build(tmp_path, rows=rows, rewards=None, environment_factory=rooms, max_steps=1)
    trainer.train()
    assert [set(room.columns) for room in trainer.environments] == [{"word"}] * 8
    assert all(record["prompt"][0]["role"] == "user" for record in lines(tmp_path))


def rollout(prompts, trainer):
    ids = [[65, 66, trainer._image_pad_token_id, 67, trainer._tokenizer.eos_token_id]] * len(
        prompts
    )
    mask = [[1, 1, 0, 1, 1]] * len(prompts)
    log_probs = [[-1.0] * 5] * len(prompts)
    prompt_ids = [[65, 66]] * len(prompts)
    return {
        "prompt_ids": prompt_ids,
        "completion_ids": ids,
        "logprobs": log_probs,
        "env_mask": mask,
        "seen": list(range(len(prompts))),
    }


def test_a_rollout_function_trains_and_its_fields_reach_rewards(tmp_path):
    def by_seen(completions, seen, noise_level, example_id, **columns):
        assert noise_level == [0.0] * 8 and example_id == ["a"] * 4 + ["b"] * 4
        return [float(number) for number in seen]

    rows = Dataset.from_dict({"prompt": ["x", "y"], "example_id": ["a", "b"]})
    changes = {"shuffle_dataset": False, "max_steps": 1}
    build(tmp_path, rows=rows, rewards=by_seen, rollout_func=rollout, **changes).train()
    records = lines(tmp_path)
    assert [record["reward"] for record in records] == list(range(8))
    assert [record["completion_tokens"] for record in records] == [4] * 8


@pytest.mark.parametrize(
    "taken",
    [{"tools": [tell]}, {"environment_factory": Room}, {"rollout_func": rollout}],
    ids=" ".join,
)
@pytest.mark.parametrize("method", ["noisygrpo", "noisyrollout", "hint_grpo"])
def test_views_and_hints_are_refused_where_turns_are_not_theirs(tmp_path, taken, method):
    rows = Dataset.from_list([{**row, "reasoning": "One. Two. Three."} for row in tiny_rows(2)])
    with pytest.raises(UserError, match="cannot go with tools, environments or a rollout function"):
        build(tmp_path, rows=rows, method=method, **taken)


def test_text_of_turns():
    messages = [
        {"role": "assistant", "content": "a", "tool_calls": []},
        {"role": "tool", "name": "t", "content": [{"type": "image", "image": tiny_image(0)}, 7]},
        {"role": "assistant"},
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": "b"},
    ]
    assert spoken(messages) == "a\nb"
    assert without_pictures(messages)[1]["content"] == [{"type": "image"}, 7]
    assert json.dumps(without_pictures(messages))
