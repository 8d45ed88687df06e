"""Whether the Hugging Face hub is within reach: one short question instead of a minute of retries.

The libraries try again and again before they look into their cache. Where no connection can be
made they are told so at once, as ``HF_HUB_OFFLINE=1`` would: what is in the cache is used, and what
is not is an error within a moment.
"""

from __future__ import annotations

import functools
import os
import socket
import sys
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import huggingface_hub

SECONDS = 2.0
"""How long a connection may take."""


def hub_problem() -> str:
    """Why the hub cannot be reached, for a message; "" where it can.

    The first time that it cannot, the libraries are set offline for the rest of the process.
    """
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        return _said()
    problem = connection_problem(huggingface_hub.constants.ENDPOINT)
    if not problem:
        return ""
    os.environ["HF_HUB_OFFLINE"] = "1"  # for child processes
    huggingface_hub.constants.HF_HUB_OFFLINE = True
    if "datasets" in sys.modules:
        sys.modules["datasets"].config.HF_HUB_OFFLINE = True
    _WHY.append(problem)
    return _said()


_WHY: list[str] = []


def _said() -> str:
    return f"the hub cannot be reached: {_WHY[-1]}" if _WHY else "HF_HUB_OFFLINE is set"


@functools.cache
def connection_problem(endpoint: str) -> str:
    """Why no connection to an endpoint, or to the proxy before it, can be made; "" where it can."""
    address = urlsplit(endpoint)
    proxies = getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if proxy and not proxy_bypass(address.hostname or ""):
        address = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), timeout=SECONDS).close()
    except OSError as error:
        return f"{address.hostname}: {error}"
    return ""
