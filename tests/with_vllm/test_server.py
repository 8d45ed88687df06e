"""The playground's model trained on rollouts from TRL's own server, on a CPU: `make test-vllm`.

Server, requests, client and weights on their way are the real ones; `site/cpu_weights.py` says what
stands in for NCCL, which needs a GPU.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import cpu_weights  # noqa: F401  stands in for NCCL on the trainer's side
import pytest
import requests
import torch
from transformers import TrainerCallback
from trl.generation.vllm_client import VLLMClient

from noisygrpo.errors import RunStopped, UserError
from noisygrpo.evaluation.generate import Generation, generate_batch
from noisygrpo.models.vision import set_pixel_limits
from noisygrpo.runs.trouble import told
from noisygrpo.training.pictures.links import LostPicture
from with_vllm.agree import CASES, agree
from with_vllm.runs import (
    CLOSE,
    FAULTS,
    clean_difference,
    differences,
    forget_nothing,
    groups_of,
    plant,
    records,
    sample,
    trainer_of,
)

READY_S, STOP_S = 900, 60
RUNNING: list[subprocess.Popen[bytes]] = []
"""The server's process, for the test that kills it."""
LOUD = [0.0, 0.5, 0.7, 0.9]
"""Levels at which a view looks so unlike its image that the model answers otherwise."""


@pytest.fixture(scope="module")
def server(model_folder, tmp_path_factory):
    """Start the server, yield its port once it answers, and stop it with all its children."""
    port, log = free_port(), tmp_path_factory.mktemp("server") / "log"
    words = ["--model", model_folder, "--host", "127.0.0.1", "--port", str(port)]
    words += ["--dtype", "float32", "--max_model_len", "1024", "--enforce_eager", "true"]
    words += ["--worker-extension-cls", "cpu_weights.Extension"]
    env = {key: value for key, value in os.environ.items() if "MULTIPROCESSING" not in key}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("trl")), "vllm-serve", *words],
            env=env,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    RUNNING.append(process)
    try:
        wait_until_ready(process, port, log)
        yield port
    finally:
        stop(process)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_until_ready(process, port, log):
    end = time.monotonic() + READY_S
    while not healthy(port):
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"the server did not start:\n{log.read_text()[-3000:]}")
        time.sleep(1)


def healthy(port):
    try:
        return requests.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def stop(process):
    for number in (signal.SIGTERM, signal.SIGKILL):  # the second for children that are left
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)


@pytest.fixture
def trainer(server, model_folder, tmp_path, monkeypatch):
    """Return a function that makes a trainer of which the server is the engine."""
    join = VLLMClient.init_communicator  # refuses a trainer on a CPU, as NCCL would
    monkeypatch.setattr(
        VLLMClient, "init_communicator", lambda client, device: join(client, "cuda")
    )
    made = []

    def make(**changes):
        ports = {"vllm_server_port": server, "vllm_group_port": free_port()}
        where = {"vllm_mode": "server", "vllm_server_host": "127.0.0.1", **ports}
        made.append(trainer_of(model_folder, tmp_path, **where, **changes))
        return made[-1]

    yield make
    for one in made:
        one.vllm_generation.vllm_client.close_communicator()


def own_differences(trainer, batch):
    """Return each rollout's difference where the trainer, too, is shown the rollout's own view."""
    views = torch.as_tensor(trainer.made.shown.fields["pixel_values"])
    return differences(trainer, batch, pixel_values=views)


def test_training_on_noisy_views(trainer, tmp_path):
    """In each of three steps the server samples with the weights of the moment."""
    one = trainer(max_steps=3, learning_rate=0.02)
    make, fresh = one._generate_and_score_completions, []

    def watched(inputs):
        batch = make(inputs)
        fresh.append(own_differences(one, batch).mean().item())
        return batch

    one._generate_and_score_completions = watched
    one.train()
    rollouts = records(tmp_path)
    assert [record["noise_level"] for record in rollouts[:4]] == [0.0, 0.1, 0.2, 0.3]
    assert len(rollouts) == 24 and all(record["completion_tokens"] > 0 for record in rollouts)
    one._engine.loaded = one.state.global_step  # keeps the server at the weights before the last
    stale = own_differences(one, sample(one)).mean().item()
    print(f"mean difference per token: {fresh} in steps, {stale} one step behind")
    assert len(fresh) == 3 + 1 and max(fresh[:3]) < CLOSE and stale > 3 * max(fresh[:3])


def test_new_weights_arrive(trainer):
    one = trainer()
    sample(one)
    with torch.no_grad():  # far from where they were, or agreement would show nothing
        for value in one.model.parameters():
            value.mul_(0.95)
    stale = clean_difference(one, sample(one))
    one.state.global_step += 1
    fresh = clean_difference(one, sample(one))
    print(f"mean difference per token: {fresh:.4f} in step, {stale:.4f} with stale weights")
    assert fresh < CLOSE and stale > 30 * CLOSE, (fresh, stale)


def test_every_rollout_sees_its_own_view(trainer):
    """Log-probs are those given the view, and greedy answers are those of Transformers."""
    one = trainer(noise_levels=LOUD)
    batch = sample(one)
    noisy = torch.tensor([rollout.noisy for rollout in one.made.rollouts])
    own, clean = own_differences(one, batch), differences(one, batch)
    print(f"given the own view: {own.max():.4f} at most; given the image: {clean[noisy].tolist()}")
    assert own.max() < CLOSE and noisy.sum() == 6 and clean[noisy].min() > 30 * CLOSE

    one.vllm_generation.temperature = 0.0
    batch, inputs = sample(one), groups_of(one)
    rows = [{**row, "images": own} for row, own in zip(inputs, one.made.shown.images, strict=True)]
    greedy = Generation(batch_size=8, max_new_tokens=one.max_completion_length, temperature=0.0)
    answers = generate_batch(one.model.eval(), one.processing_class, rows, greedy)
    decode = one.processing_class.tokenizer.decode
    masks = batch["completion_mask"].bool()
    theirs = [ids[mask] for ids, mask in zip(batch["completion_ids"], masks, strict=True)]
    assert [len(ids) for ids in theirs] == [answer.tokens for answer in answers]
    texts = [decode(ids, skip_special_tokens=True) for ids in theirs]
    assert texts == [answer.text for answer in answers]
    assert len(set(texts[:4])) > 1


def test_an_image_seen_before_is_seen_anew(trainer):
    """TRL lets the server keep what the old vision tower made of an image; the seam does not."""
    one = trainer()
    sample(one)
    with torch.no_grad():
        for name, value in one.model.named_parameters():
            if "visual" in name:
                value.mul_(0.9)
    one.vllm_generation.sync_weights()
    kept = clean_difference(one, sample(one))
    one._engine._sync_weights()
    renewed = clean_difference(one, sample(one))
    print(f"mean difference per token: {kept:.4f} as TRL leaves it, {renewed:.4f} here")
    assert renewed < CLOSE and kept > 5 * CLOSE, (kept, renewed)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.__name__)
def test_other_pictures_are_not_sent(trainer, monkeypatch, fault):
    """Planted in TRL, between the trainer and its client, from the second step on."""
    plant(monkeypatch, fault, at=2)
    with pytest.raises(LostPicture, match=r"^step 2: row '.*sent to the server"):
        trainer(max_steps=3).train()


def test_answers_in_another_order_are_noticed(trainer, monkeypatch):
    """The server's name of a picture goes with the picture."""
    one, ask = trainer(noise_levels=[0.0, 0.0, 0.2, 0.3]), VLLMClient.image_features
    monkeypatch.setattr(
        VLLMClient, "image_features", lambda client, images: [*reversed(ask(client, images))]
    )
    with pytest.raises(LostPicture, match=r"^step 1: row '.*took its picture for another"):
        sample(one)


def test_stale_features_show_in_the_log_probs(trainer):
    one = trainer(rows=2, max_steps=3, mismatch_limit=5 * CLOSE)
    forget_nothing(one)
    with pytest.raises(LostPicture, match=r"^step 2: row '.*the engine's log-probs"):
        one.train()


def test_hints(trainer, tmp_path):
    """A level's prompts go to the server once, for four completions each."""
    one = trainer(method="hint_grpo", noise_levels=None, hint_levels=2, max_steps=2)
    ask, asked = one.vllm_generation.vllm_client.generate, []

    def watched(prompts, features, n, **sampling):
        asked.append((len(prompts), n))
        return ask(prompts=prompts, features=features, n=n, **sampling)

    one.vllm_generation.vllm_client.generate = watched
    one.train()
    assert len(records(tmp_path)) == 16
    assert len(asked) >= 2 and set(asked) == {(2, 4)}
    assert differences(one, sample(one)).mean() < CLOSE


@pytest.mark.parametrize("name", CASES)
def test_what_is_logged_is_what_transformers_engine_gives(trainer, model_folder, tmp_path, name):
    agree(trainer, tmp_path, model_folder, CASES[name])


def test_an_image_of_another_length_names_the_row(trainer, server):
    """The trainer's processor makes fewer tokens of an image than the server's, unknown to it."""
    one = trainer()
    set_pixel_limits(one.processing_class, None, 20_000)
    name = one.train_dataset[0]["example_id"]
    with pytest.raises(UserError, match=rf"row '{name}': vLLM made \d+ tokens of its prompt"):
        sample(one)
    assert healthy(server)


class Kill(TrainerCallback):
    """Kills the server and all its children behind the first step."""

    def on_step_end(self, args, state, control, **kwargs):
        os.killpg(RUNNING[-1].pid, signal.SIGKILL)
        RUNNING[-1].wait(STOP_S)


def test_a_server_that_dies_ends_the_run_in_one_line(trainer, tmp_path):
    """The last test, for there is no server afterwards."""
    made = trainer(max_steps=3)
    made.add_callback(Kill())
    with (
        pytest.raises(RunStopped, match=r"^vLLM does not answer any more: .*--auto-resume$"),
        told(tmp_path, vllm=True),
    ):
        made.train()
    assert made.state.global_step == 1
    made.vllm_generation.vllm_client.close_communicator = lambda: None
