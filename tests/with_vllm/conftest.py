"""Lets the CPU build of vLLM run; where vLLM is not installed there is nothing to collect."""

import importlib.util
import os
import runpy
import sys
from pathlib import Path

import pytest

SITE = Path(__file__).parent / "site"

collect_ignore_glob = [] if importlib.util.find_spec("vllm") else ["test_*.py"]

if importlib.util.find_spec("vllm"):
    os.environ |= {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the engine in this process
        "VLLM_CPU_KVCACHE_SPACE": "1",  # GB
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_HOST_IP": "127.0.0.1",  # where a trainer and its server meet
        "HF_HUB_OFFLINE": "1",
        # vLLM looks at models in child processes, which need torchvision as well.
        "PYTHONPATH": os.pathsep.join([str(SITE), os.environ.get("PYTHONPATH", "")]),
    }
    sys.path.append(str(SITE))
    if "sitecustomize" not in sys.modules or str(SITE) not in str(sys.modules["sitecustomize"]):
        LIBRARY = runpy.run_path(str(SITE / "sitecustomize.py"))


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """The playground's model with the stock processor of its class, as vLLM looks for it."""
    sys.path.insert(0, str(Path(__file__).parent))
    from stock_folder import stock_folder

    return str(stock_folder(tmp_path_factory.mktemp("model")))
