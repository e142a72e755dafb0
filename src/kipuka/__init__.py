"""Kipuka: spiking networks with axonal delays and a spiking GRU, exact from training to Loihi 2."""

from kipuka.lava_door import open_door

__version__ = "0.2.0"

open_door()
