"""Kipuka: spiking networks with axonal delays and a spiking GRU, exact from training to Loihi 2."""

__version__ = "0.1.0"
