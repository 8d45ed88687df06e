"""Where the tokens of a group lie when its prompt is written once.

A group's B rows ``(prompt, completion b)`` become one sequence

    [p_1 .. p_{n-1} 0..0 | p_n c^1_1 .. c^1_{S-1} | .. | p_n c^G_1 .. c^G_{S-1}]
     prefix, padded to P   segment 1, S tokens          segment G

A segment starts with a copy of the prompt's last token, so the hidden state at its position t
predicts completion token t + 1, the last completion token is no input, and no loss touches the
prefix. Token t of a segment attends to the prefix and to tokens 1..t of its own segment, at the
positions that it has in its row; hence it sees exactly what it sees in the row, and the sum over
rows of the gradients with respect to the prefix is the gradient through the one prefix.

The mask holds no more than that: per segment S queries against P + S keys. Its shape gives the
attention (``attention``) everything it has to know.

Shapes: B rows, N prompt tokens (left padded), T completion tokens (right padded), g groups, G rows
of the largest group, L = P + G S tokens of a sequence, K scored tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Rows = list[int]


@dataclass(frozen=True)
class Prompts:
    """A batch of rows as TRL scores them, cut into prompts and completions."""

    ids: Int[Tensor, "B N"]  # prompt tokens, left padded
    mask: Int[Tensor, "B N"]  # 1 where ``ids`` is a token, 0 where it is padding
    completion_ids: Int[Tensor, "B T"]  # right padded
    completion_mask: Int[Tensor, "B T"]

    @property
    def regular(self) -> bool:
        """Whether prompts have two tokens or more, and padding lies outside, prompt left."""
        prompt, completion = self.mask.bool(), self.completion_mask.bool()
        holes = (prompt[:, :-1] & ~prompt[:, 1:]).any()
        holes |= (completion[:, 1:] & ~completion[:, :-1]).any()
        return not bool(holes | (prompt.sum(1) < 2).any())


def cut(ids: Int[Tensor, "B N+T"], mask: Int[Tensor, "B N+T"], keep: int) -> Prompts:
    """Return rows of which the last ``keep`` tokens, T, are the completion."""
    width = ids.size(1) - keep
    return Prompts(ids[:, :width], mask[:, :width], ids[:, width:], mask[:, width:])


@dataclass(frozen=True)
class Layout:
    """One sequence per group, and where the scored tokens are in it."""

    input_ids: Int[Tensor, "g L"]  # padding repeats the prompt's last token
    position_ids: Int[Tensor, "... g L"]  # ``[3, g, L]`` for M-RoPE
    visible: Bool[Tensor, "g G S keys"]  # of the prefix's P and the segment's S keys, by query
    index: Int[Tensor, " K"]  # of the hidden states in ``[g L]`` that predict the scored tokens
    labels: Int[Tensor, " K"]  # the scored tokens
    target: Int[Tensor, " K"]  # their places in the flattened ``[B T]``

    def additive_mask(self, dtype: torch.dtype) -> Float[Tensor, "g G S keys"]:
        """Return ``visible`` as 0 and the dtype's least number; one copy for a group's segments."""
        g, group, length, keys = self.visible.shape
        mask = torch.zeros(g, 1, length, keys, dtype=dtype, device=self.visible.device)
        mask.masked_fill_(~self.visible[:, :1], torch.finfo(dtype).min)
        return mask.expand(g, group, length, keys)


def plain_positions(mask: Int[Tensor, "g N"]) -> Int[Tensor, "g N"]:
    """Return positions 0, 1, .. of left-padded prompts."""
    return (mask.long().cumsum(1) - 1).clamp(min=0)


def build_layout(
    batch: Prompts, groups: Sequence[Rows], positions: Int[Tensor, "... g N"]
) -> Layout:
    """Lay out each group's prompt once, followed by its completions.

    Args:
        batch: the rows, ``regular``.
        groups: rows of one prompt each; together every row once.
        positions: of the prompt tokens of each group's first row, in their padded places.
    """
    device, width = batch.ids.device, batch.completion_ids.size(1)
    group = max(map(len, groups))
    # A short group is filled up with its first row, scored nowhere.
    filled = [rows + [rows[0]] * (group - len(rows)) for rows in groups]
    row = torch.tensor(filled, device=device)
    real = torch.tensor([[i < len(rows) for i in range(group)] for rows in groups], device=device)
    lengths = batch.completion_mask.sum(1)[row] * real  # [g, G]
    length = max(int(lengths.max()), 1)
    step = torch.arange(length, device=device)
    scored = step < lengths[..., None]  # [g, G, S]

    prefix, prefix_positions, inside = _prefix(batch, row[:, 0], positions)
    tokens = batch.completion_ids[row][..., :length]
    last = batch.ids[row[:, :1], -1:]  # [g, 1, 1]
    inputs = torch.cat((last.expand(-1, group, 1), tokens[..., : length - 1]), -1)
    segments = torch.where(scored, inputs, last)

    own = torch.ones(length, length, dtype=torch.bool, device=device).tril()
    keys = (inside[:, None].expand(-1, length, -1), own.expand(len(groups), -1, -1))
    total = prefix.size(1) + group * length
    place = torch.arange(len(groups) * total, device=device).view(len(groups), total)
    return Layout(
        input_ids=torch.cat((prefix, segments.flatten(1)), 1),
        position_ids=torch.cat((prefix_positions, *[positions[..., -1:] + step] * group), -1),
        visible=torch.cat(keys, -1)[:, None].expand(-1, group, -1, -1),
        index=place[:, prefix.size(1) :].view(len(groups), group, length)[scored],
        labels=tokens[scored],
        target=(row[..., None] * width + step)[scored],
    )


def _prefix(
    batch: Prompts, first: Int[Tensor, " g"], positions: Int[Tensor, "... g N"]
) -> tuple[Int[Tensor, "g P"], Int[Tensor, "... g P"], Bool[Tensor, "g P"]]:
    """Return tokens and positions of prompts without their last token, padded right, and where."""
    ids = batch.ids[first]
    counts = batch.mask[first].sum(1) - 1
    step = torch.arange(int(counts.max()), device=ids.device)
    inside = step < counts[:, None]
    column = (ids.size(1) - 1 - counts)[:, None] + step
    column = column.clamp(max=ids.size(1) - 1)  # past the prefix: the last token and its position
    picked = positions.gather(-1, column.expand(*positions.shape[:-1], -1))
    return ids.gather(1, column), picked, inside


def group_rows(rows: int, same: Callable[[int, int], bool]) -> list[Rows]:
    """Return groups of rows in order of appearance; ``same`` compares a row with an earlier one."""
    groups: list[Rows] = []
    for row in range(rows):
        home = next((members for members in groups if same(row, members[0])), None)
        if home is None:
            groups.append([row])
        else:
            home.append(row)
    return groups


def group_numbers(groups: Sequence[Rows]) -> list[int]:
    """Return, for every row in order, the number of its group."""
    number = {row: g for g, rows in enumerate(groups) for row in rows}
    return [number[row] for row in range(len(number))]


def keep_groups(permutation: Int[Tensor, " B"], first: int, group: int) -> Int[Tensor, " B"]:
    """Return the permutation of own rows with the members of each group moved together.

    Groups come in the order in which the permutation first names them, and members in its order:
    both are uniform if the permutation is, and no further random number is drawn. ``first`` is the
    first row's place in the batch over all processes, of which each G rows are a group.
    """
    members: dict[int, list[int]] = {}
    for row in permutation.tolist():
        members.setdefault((first + row) // group, []).append(row)
    return torch.tensor([row for rows in members.values() for row in rows])
