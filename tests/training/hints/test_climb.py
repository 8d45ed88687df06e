"""The ladder of hint levels, alone: no trainer, no model, letters for tokens."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace

import pytest
import torch

from noisygrpo.errors import UserError
from noisygrpo.methods.views import View
from noisygrpo.training.batch import Batch
from noisygrpo.training.hints.ladder import HintLadder
from noisygrpo.training.rollout import Rollout
from noisygrpo.training.views.show import Shown

REASONING = "Step 1: look. Step 2: count. Step 3: two."


class Ranks:
    """Gathers over processes that are threads here."""

    def __init__(self, count):
        self.barrier, self.given = Barrier(count, timeout=30), [None] * count

    def gather(self, rank):
        def gather(mine):
            self.given[rank] = mine
            self.barrier.wait()
            every = torch.cat(self.given)
            self.barrier.wait()
            return every

        return gather


def own_rollouts(names, first):
    """Return the rollouts of two a prompt that a process holds, from a place in the batch on."""
    found = []
    for place, name in enumerate(names, start=first):
        row = {"example_id": name, "prompt": f"Q{name}", "reasoning": REASONING}
        found.append(Rollout(row, place % 2, View(), 0, 1, "gaussian"))
    return found


def climb(rollouts, rank=0, gather=lambda mine: mine, **changes):
    """Climb three levels over letters as tokens; return what was selected and what was sampled."""
    words = {"hint_style": "auto", "hint_markers": False, "hint_template": "{hint}"}
    words |= {"hint_place": "answer", "hint_selection": "first_nonzero", "hint_stop_early": True}
    whole, log_probs = changes.pop("whole_batches", False), changes.pop("log_probs", True)
    ladder = HintLadder(
        SimpleNamespace(**{**words, **changes}, hint_levels=3, num_generations=2),
        tokenizer=lambda text, add_special_tokens: {"input_ids": list(map(ord, text))},
        decode=lambda turns, skip_special_tokens: ["".join(map(chr, ids)) for ids in turns],
        banned=[ord("#")],
        gather=gather,
        device=torch.device("cpu"),
        rank=rank,
        whole_batches=whole,
    )
    sampled, asked = [], []

    def tokenize(prompts):
        ids = [list(map(ord, prompt)) for prompt in prompts]
        return ids, None, {"token_type_ids": [[0] * len(row) for row in ids]}

    def sample(ids, images, fields, group):
        assert group == 2 and list(map(len, fields["token_type_ids"])) == list(map(len, ids))
        sampled.append(["".join(map(chr, row)) for row in ids])
        given = [[-float(len(row))] for row in ids] if log_probs else None
        return [[ord("!")] for _ in ids], given

    def judge(columns, rows, texts, ids):
        asked.append(texts)
        useful = {"a": 0, "b": 1, "c": 2, "d": 9}
        right = [c["hint_level"] >= useful[c["example_id"]] for c in columns]
        members = [c["rollout_index"] for c in columns]
        return gather(torch.tensor(right) * torch.tensor(members, dtype=torch.float32))

    prompts = [rollout.row["prompt"] for rollout in rollouts]
    ids, _, fields = tokenize(prompts)
    shown = Shown(prompts, prompts, ids, None, fields, [[] for _ in prompts], ids)
    first = [[ord("?")] for _ in ids], [[0.0] for _ in ids] if log_probs else None
    return ladder.climb(rollouts, shown, first, tokenize, sample, judge), sampled, asked


def test_a_climb_without_a_model():
    found, sampled, asked = climb(own_rollouts("aabbccdd", 0))
    assert sampled == [
        ["Qblook."] * 2 + ["Qclook."] * 2 + ["Qdlook."] * 2,
        ["Qclook. count."] * 2 + ["Qdlook. count."] * 2,
    ]
    assert asked[0] == ["?"] * 8 and asked[2] == ["look. count.!"] * 4
    chosen = found.rollouts
    assert [one.hint.level for one in chosen] == [0, 0, 1, 1, 2, 2, 0, 0]
    assert [one.completion for one in chosen[::2]] == ["?", "look.!", "look. count.!", "?"]
    assert [one.completion_ids for one in chosen[::2]] == [[63], [33], [33], [63]]
    assert [one.log_probs for one in chosen[::2]] == [[0.0], [-7.0], [-14.0], [0.0]]
    assert [one.reward for one in chosen] == [0.0, 1.0] * 3 + [0.0, 0.0]
    assert "".join(map(chr, chosen[4].prompt_ids)) == "Qclook. count."
    # Read and sampled: 8 x 3, 6 x 8, 4 x 15; TRL counts prompts of 2 and a completion of each row.
    assert found.untold == (8 * 3 + 6 * 8 + 4 * 15) - 8 * 3


def test_a_climb_leaves_the_batch_as_it_is_until_it_is_taken():
    rollouts = own_rollouts("bb", 0)
    found, _, _ = climb(rollouts)
    assert rollouts[1].hint.text == "" and "hint" not in rollouts[1].row
    batch = Batch(rollouts, True)
    batch.take_hints(found.rollouts)
    assert batch.rows == [rollout.row for rollout in rollouts]
    assert [row["hint"] for row in batch.reward_rows(batch.rows)] == ["look."] * 2


def test_an_engine_without_log_probs_and_hints_in_the_question():
    found, sampled, asked = climb(own_rollouts("bb", 0), log_probs=False, hint_place="question")
    assert sampled == [["Qb\nlook."] * 2] and asked[1] == ["!"] * 2
    assert [one.log_probs for one in found.rollouts] == [None, None]
    assert found.rollouts[0].completion == "!"


def test_processes_take_the_same_turns_and_select_as_one():
    """Prompt b is split between two processes, and the first has nothing to sample at level 2."""
    names, every = "aabbcc", own_rollouts("aabbcc", 0)
    alone, _, _ = climb(every)
    ranks = Ranks(2)

    def part(rank):
        own = own_rollouts(names[3 * rank : 3 * rank + 3], 3 * rank)
        return climb(own, rank, ranks.gather(rank))

    with ThreadPoolExecutor(2) as pool:
        (one, first, _), (two, second, _) = pool.map(part, range(2))
    assert one.rollouts + two.rollouts == alone.rollouts
    assert one.metrics == two.metrics == alone.metrics and one.untold == two.untold == alone.untold
    # At level 1 the first process fills up with its row of b, at level 2 with its first row.
    assert first == [["Qblook."] * 3, ["Qalook. count."] * 2]
    assert second == [["Qblook.", *["Qclook."] * 2], ["Qclook. count."] * 2]


def test_an_engine_that_needs_whole_batches_gets_all_rows():
    found, sampled, _ = climb(own_rollouts("aabb", 0), whole_batches=True)
    assert sampled == [["Qalook."] * 2 + ["Qblook."] * 2]
    assert [one.hint.level for one in found.rollouts] == [0, 0, 1, 1]
    assert found.rollouts[0].completion == "?"  # what it was at level 0


def test_a_batch_that_is_useful_as_it_is_is_sampled_once():
    found, sampled, asked = climb(own_rollouts("aa", 0))
    assert sampled == [] and len(asked) == 1 and found.untold == 0
    assert found.metrics["hint/useful"] == 1.0 and found.metrics["hint/level"] == 0.0


def test_a_hint_with_a_banned_token_names_its_row():
    rollouts = own_rollouts("aa", 0)
    rollouts[0].row["reasoning"] = "Step 1: a #. Step 2: b."
    with pytest.raises(UserError, match=r"row 'a': its hint 'a #\.' contains an image token"):
        climb(rollouts)


def test_rows_without_reasoning_have_one_level():
    rollouts = own_rollouts("dd", 0)
    for rollout in rollouts:
        rollout.row["reasoning"] = None
    found, sampled, _ = climb(rollouts)
    assert sampled == [] and found.rollouts[0].hint.level == 0
