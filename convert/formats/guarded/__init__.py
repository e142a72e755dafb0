"""HDF5 from strangers: size, structure and values are looked at before they are used."""
