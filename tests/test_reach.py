"""What is out of reach is told at once."""

import socket
import time

import datasets
import huggingface_hub
import pytest

from noisygrpo import reach
from noisygrpo.data.readers import read_rows
from noisygrpo.errors import UserError
from noisygrpo.evaluation.fingerprint import model_fingerprint
from noisygrpo.evaluation.judge_api import JudgeEndpoint


@pytest.fixture
def online(monkeypatch):
    """As without ``HF_HUB_OFFLINE``, and with a hub on a port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", nobody)
    monkeypatch.setattr(reach, "_WHY", [])
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    reach.connection_problem.cache_clear()
    return nobody


def test_a_data_set_and_a_model_that_are_out_of_reach(online):
    began = time.monotonic()
    with pytest.raises(UserError, match=r"some/data.*the hub cannot be reached: 127\.0\.0\.1"):
        read_rows("some/data", "train")
    with pytest.raises(UserError, match=r"some/model.*the hub cannot be reached: 127\.0\.0\.1"):
        model_fingerprint("some/model")
    assert time.monotonic() - began < 5  # the libraries alone try for more than a minute
    assert huggingface_hub.constants.HF_HUB_OFFLINE and datasets.config.HF_HUB_OFFLINE


def test_a_hub_within_reach_leaves_all_as_it_is(online, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", there)
        assert reach.hub_problem() == ""
        assert not huggingface_hub.constants.HF_HUB_OFFLINE
        # Through a proxy it is the proxy that has to be there.
        monkeypatch.setenv("http_proxy", there)
        assert reach.connection_problem("http://hub.invalid") == ""
        monkeypatch.delenv("http_proxy")
        monkeypatch.setenv("all_proxy", there)
        assert reach.connection_problem("http://third.invalid") == ""
        monkeypatch.setenv("no_proxy", "other.invalid")
        assert "other.invalid" in reach.connection_problem("http://other.invalid")


def test_a_judge_that_is_not_there(online, monkeypatch):
    with pytest.raises(UserError, match=r"judge url: http://127.* cannot be reached"):
        JudgeEndpoint(f"{online}/v1", "j").require_reachable()
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        JudgeEndpoint(there, "j").require_reachable()
        monkeypatch.delenv("SOME_KEY", raising=False)
        with pytest.raises(UserError, match="the environment variable SOME_KEY is not set"):
            JudgeEndpoint(there, "j", "SOME_KEY").require_reachable()
        monkeypatch.setenv("SOME_KEY", "secret")
        JudgeEndpoint(there, "j", "SOME_KEY").require_reachable()
