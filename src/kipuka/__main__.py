"""``python -m kipuka``, which is also how `torchrun` starts a training."""

from kipuka.cli import entry_point

if __name__ == "__main__":
    entry_point()
