"""Network files (`.net`): HDF5 in the layout of NetX, with further keys where it has none."""
