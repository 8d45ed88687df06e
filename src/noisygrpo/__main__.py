"""``python -m noisygrpo``, which is also what ``accelerate launch -m noisygrpo`` starts."""

from noisygrpo.cli import entry_point

if __name__ == "__main__":
    entry_point()
