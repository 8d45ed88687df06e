"""The table of `make gpu-figures`, and whether its goals are met, from the results of the parts."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpu_parts import Part

Results = Mapping[str, Mapping[str, Any]]
"""Name of a part to what its file holds."""

FASTER, LEANER, SLOWER = 3.0, 3.0, 1.05
"""An update of TRL's takes so many times as long and as much as ours; NoisyGRPO's step so many
times as long as GRPO's, at most."""
HEADER = (
    "model", "trained", "what", "by whom", "seconds (least to most)", "TRL's / this",
    "tokens/s", "added GB", "peak GB", "forecast GB",
)  # fmt: skip
GB = 1e9


@dataclass(frozen=True)
class Goal:
    """One goal: ``met``, ``missed`` or ``not measured``, and by what numbers."""

    text: str
    state: str
    numbers: str

    def line(self) -> str:
        """As it is printed."""
        return f"{self.state}: {self.text}: {self.numbers}"


def seconds_of(result: Mapping[str, Any] | None) -> float | None:
    """The median; None where a part has no seconds."""
    found = (result or {}).get("seconds")
    return statistics.median(found) if found else None


def against(part: Part, parts: Sequence[Part], results: Results) -> Mapping[str, Any] | None:
    """What TRL's part measured of the same model, training and setting."""
    for other in parts:
        same = (other.model, other.trained, other.setting) == (
            part.model,
            part.trained,
            part.setting,
        )
        if same and other.job.kind == "trl":
            return results.get(other.name)
    return None


def row(part: Part, parts: Sequence[Part], results: Results) -> list[str]:
    """One line of the table."""
    result = results[part.name]
    head = [part.model, part.trained, part.setting, part.label]
    if result["outcome"] != "measured":
        return [*head, result["note"], *[""] * 5]
    rate = f"{result['tokens_per_second']:,.0f}"
    if part.what == "rollouts":
        least, most = min(result["rates"]), max(result["rates"])
        return [*head, "", "", f"{rate} ({least:,.0f} to {most:,.0f})", "", "", ""]
    seconds, middle = result["seconds"], seconds_of(result)
    base = seconds_of(against(part, parts, results))
    return [
        *head,
        f"{middle:.3g} ({min(seconds):.3g} to {max(seconds):.3g})",
        f"{base / middle:.2f}" if base and middle else "",
        rate if part.what == "step" else "",
        *(f"{result[name] / GB:.3g}" for name in ("added", "peak", "forecast")),
    ]


def markdown(parts: Sequence[Part], results: Results, where: str) -> str:
    """The one table, under a line that says where its figures are from."""
    rows = [row(part, parts, results) for part in parts if part.name in results]
    lines = ["| " + " | ".join(cells) + " |" for cells in (HEADER, ["---"] * len(HEADER), *rows)]
    return f"{where}\n\n" + "\n".join(lines) + "\n"


def caption(results: Results, missing: int) -> str:
    """Where the figures are from; several of a kind, where not all parts were made alike."""

    def distinct(name: str) -> str:
        return " and ".join(dict.fromkeys(str(one["machine"][name]) for one in results.values()))

    memory = next((one["machine"]["gib"] for one in results.values()), 0)
    card = f"{distinct('card')} ({memory:.0f} GiB)" if memory else distinct("card")
    dates = sorted(one["date"] for one in results.values())
    days = " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "no day"
    note = f"; {missing} parts are missing" if missing else ""
    return (
        f"`make gpu-figures` on {card}, driver {distinct('driver')}, torch {distinct('torch')}, "
        f"TRL {distinct('trl')}, commit {distinct('commit')}, {days}{note}."
    )


def goals(parts: Sequence[Part], results: Results) -> list[Goal]:
    """The goals of every model and way of training that is among the parts."""
    found: list[Goal] = []
    for model, trained in dict.fromkeys((part.model, part.trained) for part in parts):
        known = {
            (part.what, part.name.rpartition("-")[2]): results.get(part.name)
            for part in reversed(parts)  # the plain update comes before that of the recipes
            if (part.model, part.trained) == (model, trained)
        }
        if ("update", "trl") in known:
            two = known[("update", "trl")], known[("update", "ours")]
            found += update_goals(f"{model}, {trained}", *two)
        if ("step", "noisy") in known:
            step = known[("step", "noisy")], known[("step", "ours")]
            found.append(step_goal(f"{model}, {trained}", *map(seconds_of, step)))
    return found


def update_goals(
    whose: str, trl: Mapping[str, Any] | None, ours: Mapping[str, Any] | None
) -> list[Goal]:
    """Speed and memory of the plain update."""
    fast = f"{whose}: update at least {FASTER:g} times as fast as TRL's"
    lean = f"{whose}: update at most 1/{LEANER:g} of TRL's memory"
    theirs, own = seconds_of(trl), seconds_of(ours)
    if trl is None or ours is None or theirs is None or own is None:
        why = "; ".join(f"{who} {reason(one)}" for who, one in (("TRL", trl), ("ours", ours)))
        return [Goal(text, "not measured", why) for text in (fast, lean)]
    ratio, memory = theirs / own, trl["added"] / max(ours["added"], 1)
    return [
        Goal(fast, said(ratio >= FASTER), f"{ratio:.2f} times ({theirs:.3g} and {own:.3g} s)"),
        Goal(
            lean,
            said(memory >= LEANER),
            f"1/{memory:.2f} of what an update adds ({trl['added'] / GB:.3g} and "
            f"{ours['added'] / GB:.3g} GB)",
        ),
    ]


def step_goal(whose: str, noisy: float | None, plain: float | None) -> Goal:
    """NoisyGRPO's whole step against GRPO's, both ours."""
    text = f"{whose}: a step of NoisyGRPO at most {SLOWER:g} times one of GRPO"
    if noisy is None or plain is None:
        return Goal(text, "not measured", "a step of each is needed")
    ratio = noisy / plain
    return Goal(text, said(ratio <= SLOWER), f"{ratio:.3f} times ({noisy:.3g} and {plain:.3g} s)")


def said(held: bool) -> str:
    return "met" if held else "missed"


def reason(result: Mapping[str, Any] | None) -> str:
    if result is None:
        return "is missing"
    return "is there" if result["outcome"] == "measured" else str(result["note"])
