"""Where an update leads by the formulas of docs/views.md: rows one by one, nothing of the trainer.

Of a run it takes what was sampled (whose rollout saw which view, prompts, completions, rewards) and
its settings. Pictures are drawn by ``methods``, log-probs come from the model's own logits, and
what is done with them is written out here once more, over the whole batch at once.

Shapes: R rollouts, D views of each, T tokens of one completion.
"""

import math

import torch
from peft import get_peft_model

from noisygrpo.methods.noise import SHARED, address, noise_seed, perturb
from tiny import tiny_qwen25vl


class Oracle:
    """Knows a trainer's settings, and has a model of its own with the weights of the trainer's."""

    def __init__(self, trainer, lora=None):
        self.args, self.tools = trainer.args, trainer.processing_class
        self.blank, self.step = set(trainer._banned), trainer.state.global_step + 1
        plain = tiny_qwen25vl()[0]  # TRL has changed the forward of the trainer's
        self.model = plain if lora is None else get_peft_model(plain, lora)
        self.model.load_state_dict(trainer.model.state_dict())
        self.image_token = trainer._image_pad_token_id

    # ---- what is scored ----

    def pictures(self, rollout, view, index):
        images = rollout.row.get("images") or []
        if view.level == 0:
            return images
        place = SHARED if view.shared_noise else index
        where = self.args.seed, self.step, rollout.example_id, place
        return [
            perturb(image, view.level, noise_seed(*where, n), self.args.noise_kind)
            for n, image in enumerate(images)
        ]

    def scored(self, rollout):
        """Pictures of each view that a rollout is scored on."""
        if self.args.score_view == "clean":
            return [rollout.row.get("images") or []]
        if self.args.score_view == "own":
            return [self.pictures(rollout, rollout.view, rollout.index)]
        found = {}
        for index, view in enumerate(rollout.views):
            alike = view.level == 0 or view.shared_noise
            found.setdefault((view.level, alike or index), (view, index))
        return [self.pictures(rollout, *one) for one in found.values()]

    def second(self, rollout):
        """Prompt and pictures of the second view."""
        images, prompt = rollout.row.get("images") or [], list(rollout.prompt_ids)
        if self.args.second_view == "text":
            return [token for token in prompt if token not in self.blank], []
        where = "second", self.args.seed, self.step, rollout.example_id
        how = self.args.second_level, self.args.second_view
        return prompt, [
            perturb(one, how[0], address(*where, n), how[1]) for n, one in enumerate(images)
        ]

    def logits(self, rollout, prompt, images):
        """``[T, V]`` at the temperature, of the tokens of the completion."""
        answer = list(rollout.completion_ids)
        ids = torch.tensor([[*prompt, *answer]])
        more = {}
        if images:
            more = dict(self.tools.image_processor(images=images, return_tensors="pt"))
            more["mm_token_type_ids"] = (ids == self.image_token).int()
        logits = self.model(input_ids=ids, **more).logits[0, len(prompt) - 1 : -1]
        return logits.double() / self.args.temperature

    def all_logits(self, rollouts):
        """For each rollout those on its views, and on the second view."""
        views = [self.scored(one) for one in rollouts]
        most = max(map(len, views))
        views = [[row[d % len(row)] for d in range(most)] for row in views]
        first = [
            torch.stack([self.logits(one, one.prompt_ids, images) for images in row])
            for one, row in zip(rollouts, views, strict=True)
        ]
        if self.args.second_view == "none":
            return first, [None] * len(first)
        return first, [self.logits(one, *self.second(one)) for one in rollouts]

    # ---- what is made of it ----

    def divergence(self, rollout, first, second, sides="both"):
        """``[D, T]``."""
        p, q = first.log_softmax(-1), second.log_softmax(-1)[None]
        kind = self.args.second_estimator
        if kind != "full":
            p, q = of_tokens(p, rollout), of_tokens(q, rollout)
        p = p.detach() if sides == "second" else p
        q = q.detach() if sides == "clean" else q
        if kind == "full":
            return (p.exp() * (p - q)).sum(-1)
        if kind == "k1":
            return p - q
        return ((q - p).exp() - (q - p) - 1).clamp(max=10)

    def weights(self, rollouts, rewards, right, first, second):
        """Advantages by token, from the policy that sampled."""
        args, group = self.args, self.args.num_generations
        gate = right if args.second_gate == "correct" else [1.0] * len(rollouts)
        if second[0] is None:
            d = [torch.zeros(len(one.completion_ids)) for one in rollouts]
        else:
            every = zip(rollouts, first, second, strict=True)
            d = [self.divergence(*each).mean(0) for each in every]
        both, w = zip(gate, d, strict=True), args.second_reward
        added = torch.tensor([g * w * math.exp(-one.mean()) for g, one in both])
        total = torch.tensor(rewards, dtype=torch.float64) + added
        base = grpo(total.view(-1, group)).flatten()
        s = torch.stack([one.mean() for one in d]).double()
        b, spread = args.second_sequence_weight, s.max() - s.min()
        z = (s - s.min()) / spread if spread > 0 else torch.ones_like(s)
        sequence = b + z * (1 - b) / z.mean() if b != 1 else torch.ones_like(s)
        found = []
        for n, (one, g) in enumerate(zip(d, gate, strict=True)):
            if not g:
                found.append(base[n].expand(len(one)))
                continue
            u = torch.ones(len(one), dtype=torch.float64)
            if not one.any():  # no picture: nothing depends on it
                found.append((base[n] * sequence[n]).expand(len(one)))
                continue
            if args.second_token_mask != 1:
                kept = math.ceil(round(args.second_token_mask * len(one), 9))
                u = torch.zeros_like(u)
                u[one.topk(kept).indices] = 1
            c = args.second_token_weight
            u = u * (1 + c * (one / one.mean() - 1)) if c else u
            found.append((base[n] * sequence[n] + args.second_advantage * one) * u)
        return found

    def corrections(self, rollouts, first):
        """By what each completion is weighed for the view that it was sampled on."""
        name, limit = self.args.view_correction, self.args.view_correction_limit
        found = []
        for one, clean in zip(rollouts, first, strict=True):
            if name == "none" or one.view.level == 0:
                found.append(1.0)
                continue
            seen = self.logits(one, one.prompt_ids, self.pictures(one, one.view, one.index))
            pair = clean[0].log_softmax(-1), seen.log_softmax(-1)
            ratio = of_tokens(pair[0][None], one)[0] - of_tokens(pair[1][None], one)[0]
            if name == "rejection":
                found.append(float(ratio.mean().abs() < limit))
            else:
                by = ratio.sum() if name == "truncated" else ratio.mean()
                found.append(min(limit, math.exp(by)))
        return found

    def train(self, rollouts, rewards, right):
        """Move the model by the updates of one batch of rollouts."""
        with torch.no_grad():
            first, second = self.all_logits(rollouts)
            advantages = self.weights(rollouts, rewards, right, first, second)
            found = zip(advantages, self.corrections(rollouts, first), strict=True)
            advantages = [a * w for a, w in found]
            old = [of_tokens(p.log_softmax(-1), r) for p, r in zip(first, rollouts, strict=True)]
            before = second
        for _ in range(self.args.num_iterations):
            loss = self.loss(rollouts, right, advantages, old, before)
            self.model.zero_grad()
            loss.backward()
            with torch.no_grad():
                for value in self.model.parameters():
                    if value.grad is not None:
                        value -= self.args.learning_rate * value.grad

    def loss(self, rollouts, right, advantages, old, before):
        args, policy, further = self.args, [], []
        first, second = self.all_logits(rollouts)
        if args.second_policy == "old":
            second = before
        gate = right if args.second_gate == "correct" else [1.0] * len(rollouts)
        for n, one in enumerate(rollouts):
            new = of_tokens(first[n].log_softmax(-1), one)
            policy.append(clipped(new - old[n], advantages[n][None], new, args))
            term = -args.sampled_entropy * new
            if args.second_loss:
                d = self.divergence(one, first[n], second[n], args.second_gradient)
                term = term + args.second_loss * gate[n] * d
            if args.second_entropy:
                m = of_tokens(second[n].log_softmax(-1)[None], one)
                term = term - args.second_entropy * m
            further.append(term)
        return self.average(policy) + self.average(further)

    def average(self, values):
        """Over completions, views and tokens; ``values`` are ``[D, T]`` of each completion."""
        if self.args.loss_type == "grpo":
            return torch.stack([one.mean() for one in values]).mean()
        total = torch.stack([one.sum(1).mean() for one in values]).sum()
        if self.args.loss_type == "dr_grpo":
            return total / (len(values) * self.args.max_completion_length)
        return total / sum(one.size(1) for one in values)


def of_tokens(log_probs, rollout):
    """``[D, T]`` of ``[D, T, V]``: those of the tokens that were sampled."""
    ids = torch.tensor(list(rollout.completion_ids))
    return log_probs.gather(-1, ids[None, :, None].expand(len(log_probs), -1, 1))[..., 0]


def clipped(change, advantage, new, args):
    ratio = change.exp()
    if args.loss_type == "cispo":
        return -ratio.clamp(max=args.epsilon_high).detach() * advantage * new
    bounded = ratio.clamp(1 - args.epsilon, 1 + args.epsilon)
    return -torch.minimum(ratio * advantage, bounded * advantage)


def grpo(rewards):
    spread = rewards - rewards.mean(1, keepdim=True)
    return spread / (rewards.std(1, keepdim=True) + 1e-4)
