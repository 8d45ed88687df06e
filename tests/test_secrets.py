"""Keys are in nothing that is printed or written, and what is no key stays."""

import json

import pytest

from noisygrpo.secrets import hidden, hidden_words, without_keys

KEY = "hf_" + "Ab1" * 10


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"use {KEY} here", "use *** here"),
        ("sk-proj-" + "x" * 30, "***"),
        ("https://me:word@host/v1", "https://***@host/v1"),
        ("hf://token@datasets/a", "hf://***@datasets/a"),
        ("https://host/a.jsonl?token=abc&x=1", "https://host/a.jsonl?token=***&x=1"),
        ("{name: a.py:f, api_key: s3cret, weight: 1}", "{name: a.py:f, api_key: ***, weight: 1}"),
        ("{'hub_token': 'abc'}", "{'hub_token': '***'}"),
        ("WANDB_API_KEY=abc noisygrpo", "WANDB_API_KEY=*** noisygrpo"),
        # no keys
        ("eos_token: <|im_end|>", "eos_token: <|im_end|>"),
        ("max_tokens: 16, key: 3, num_tokens=4", "max_tokens: 16, key: 3, num_tokens=4"),
        ("hub_token: null", "hub_token: null"),
        ("mail me@host or https://host/a@b", "mail me@host or https://host/a@b"),
        ("ask-the-judge-for-a-verdict-please", "ask-the-judge-for-a-verdict-please"),
        ("Answer: 5, the secret of the box", "Answer: 5, the secret of the box"),
    ],
)
def test_keys_in_a_text(text, shown):
    assert hidden(text) == shown


def test_keys_among_settings_are_left_out_and_named():
    settings = {
        "training": {"hub_token": "abc", "seed": 3, "vllm_server_base_url": "http://a:b@host"},
        "rewards": [{"name": "f", "api_key": "abc", "token": "<answer>", "key": "x" * 20}],
        "data": {"columns": {"answer": "key"}, "password": None},
    }
    left_out: list[str] = []
    assert without_keys(settings, left_out) == {
        "training": {"seed": 3, "vllm_server_base_url": "http://***@host"},
        "rewards": [{"name": "f", "token": "<answer>"}],
        "data": {"columns": {"answer": "key"}, "password": None},
    }
    assert left_out == [
        "training.hub_token",
        "training.vllm_server_base_url",
        "rewards.0.api_key",
        "rewards.0.key",
    ]


def test_keys_on_a_command_line():
    words = ["train", "r", "--training.hub_token", "abc", "--training.hub_token=abc", "--x", KEY]
    words += ["--rewards", "[{api_key: abc}]", "--training.seed", "3", "--judge-api-key", "abc"]
    assert hidden_words(words) == [
        *("train", "r", "--training.hub_token", "***", "--training.hub_token=***", "--x", "***"),
        *("--rewards", "[{api_key: ***}]", "--training.seed", "3", "--judge-api-key", "***"),
    ]


def test_a_run_writes_none_of_its_keys(recipe_file, run_cli, tmp_path, monkeypatch):
    """In no file of its folder, pickles and all, and on no line that it prints."""
    monkeypatch.setenv("HF_TOKEN", "")
    (tmp_path / "mine.py").write_text("def mine(completions, api_key): return [1.0] * 8\n")
    reward = {"name": f"{tmp_path / 'mine.py'}:mine", "api_key": "key-of-the-judge"}
    steps = {"save_strategy": "steps", "save_steps": 1, "max_steps": 1, "log_completions": True}
    words = ["train", recipe_file(rewards=[reward], training=steps), "--output-dir"]
    words += [tmp_path / "run", "--no-evaluation", "--training.hub_token", "key-of-the-hub"]
    monkeypatch.setattr("sys.argv", ["noisygrpo", *map(str, words)])
    status, out, error = run_cli(*words)
    assert status == 0, error
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    written = {path.name: path.read_bytes() for path in files}
    assert not [name for name, held in written.items() if b"key-of-the-" in held]
    assert "key-of-the-" not in out + error
    assert "training_args.bin" not in written and len(written) > 20
    assert written["recipe.yaml"].startswith(
        b"# Left out, as keys: rewards.0.api_key, training.hub"
    )
    assert "***" in json.loads(written["environment.json"])["arguments"]
    again = run_cli(*words, "--resume")
    assert again[0] == 0, again
