"""Functions of one's own that are wrong, each in one way, for the tests of the trial."""

import random
import sys
import time

import numpy as np
import torch
from PIL import Image

drawn = np.random.default_rng(0)


def centered(rewards):
    return rewards - rewards.mean(1, keepdim=True)


# --- advantages


def nan(rewards):
    return centered(rewards) / rewards.std(1, keepdim=True)


def one_shape(rewards):
    return rewards.mean(1)


def a_list(rewards):
    return rewards.tolist()


def nothing(rewards):
    rewards.mean()


def whole_numbers(rewards):
    return (rewards > 0).long()


def torchs_numbers(rewards):
    return centered(rewards) + 0 * torch.rand(1, dtype=rewards.dtype)


def seeds_torch(rewards):
    torch.manual_seed(0)
    return centered(rewards)


def own_generator(rewards):
    return centered(rewards) + float(drawn.random())


def across(rewards):
    return rewards - rewards.mean()


def scaled_across(rewards):
    return centered(rewards) / (1 + rewards.max())


def in_place(rewards):
    rewards -= rewards.mean(1, keepdim=True)
    return rewards


def levels_in_place(rewards, levels):
    levels.zero_()
    return centered(rewards)


def raises(rewards):
    raise KeyError("gone")


def leaves(rewards):
    sys.exit(0)


def hangs(rewards):
    while True:
        time.sleep(0.01)


def of_four(rewards):
    return rewards - rewards[:, [1, 0, 3, 2]]


async def later(rewards):
    return rewards


def asks(rewards, alpha):
    return alpha * centered(rewards)


def of_nothing():
    return torch.zeros(1)


def of_anything(*args, **kwargs):
    return centered(args[0])


def knobbed(rewards, *, alpha=0.1, beta=1.0):
    return alpha * beta * centered(rewards)


# --- noises


def array(image, level, rng):
    return np.asarray(image)


def grey(image, level, rng):
    return image.convert("L")


def smaller(image, level, rng):
    return image.resize((8, 8))


def pythons_numbers(image, level):
    return Image.eval(image, lambda value: int(value * random.random()))


def numpys_numbers(image, level):
    pixels = np.asarray(image) * np.random.rand()
    return Image.fromarray(pixels.astype(np.uint8))


def fresh_generator(image, level):
    pixels = np.asarray(image) * np.random.default_rng().random()
    return Image.fromarray(pixels.astype(np.uint8))


def paints(image, level, rng):
    image.paste((0, 0, 0), (0, 0, 9, 9))
    return image


def divides(image, level, rng):
    return image.resize((round(1 / (level - 0.3)), 5))


def generator_by_another_name(image, level, generator):
    return image


# --- view plans


def short(group):
    return [0.1] * (group - 1)


def outside(group):
    return [0.0, 1.5] * (group // 2)


def no_number(group):
    return [float("nan")] * group


def texts(group):
    return ["clean"] * group


def single(group):
    return 0.3


def consumes(group, rng=None):
    return [float(np.random.rand()) for _ in range(group)]


def takes_levels_apart(group, levels):
    levels.pop()
    return [0.3] * group


def level_of(group):
    return {index: 0.1 for index in range(group)}


def one_by_one(group):
    yield from [0.1] * group
