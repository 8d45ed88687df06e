"""What TRL asks of a model's configuration by one name, where a family has another."""

from __future__ import annotations

from typing import Any

EXPERTS = ("num_local_experts", "n_routed_experts", "moe_num_experts")
"""Names of the number of experts that are routed to, besides TRL's ``num_experts``."""


def name_experts(config: Any) -> None:
    """Let a text configuration answer to ``num_experts``, where TRL balances a mixture by that.

    GLM-4.5V says ``n_routed_experts``. It is an alias of the class; no file gets another entry.
    """
    text = config.get_text_config()
    if not hasattr(text, "output_router_logits") or hasattr(text, "num_experts"):
        return
    known = type(text).attribute_map
    names = [
        known.get(name, name) for name in EXPERTS if isinstance(getattr(text, name, None), int)
    ]
    if names:
        type(text).attribute_map = {**known, "num_experts": names[0]}
