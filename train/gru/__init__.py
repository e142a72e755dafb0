"""The spiking GRU in training: the cell over time, and blocks that drop into SLAYER networks."""
