"""A training run: settings, epochs, losses, what is written to its folder and read back."""
