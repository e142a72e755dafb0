"""NIR graphs (`.nir`): networks in continuous parameters, from snnTorch, Norse, Sinabs and others.

`graph` reads a file's nodes and edges, `operators` composes what lies between neurons, `network`
makes layers of floats out of both, `file` is the format's door.
"""
