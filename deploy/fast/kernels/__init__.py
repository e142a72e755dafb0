"""Compiled integer kernels of the fast simulator; importing a module here loads Numba.

`lanes` is the vocabulary, `neurons` updates states, `delivery` and
`convolution` bring spikes to activations, `network` runs whole networks, `events` reads inputs.
"""
