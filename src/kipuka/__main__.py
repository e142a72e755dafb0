"""``python -m kipuka``, which is also how `torchrun` starts a training."""

from kipuka.commands.app import entry_point

if __name__ == "__main__":
    entry_point()
