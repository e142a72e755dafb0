"""What stands where an array belongs: any type, byte content, order, shape and container."""

import numpy as np

STEPS = 7
"""Steps of operands that fit a network of 8 inputs."""


def random_operand(rng):
    """Draw an array of any type, byte content, order, shape and container."""
    dtype = str(rng.choice(["?", "u1", "i1", "<i4", ">i4", ">u2", "u8", "f2", ">f4", "f8", "c8"]))
    shapes = [(2, 8, STEPS), (1, 8, 3), (8, STEPS), (2, 9, STEPS), (0, 8, 3), (2, 8, 0), (), (3,)]
    shape = shapes[int(rng.choice(len(shapes), p=[0.6, *[0.4 / 7] * 7]))]
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = rng.integers(0, int(rng.choice([2, 3, 256])), n_bytes, dtype=np.uint8)
    with np.errstate(all="ignore"):
        values = (
            raw.view(dtype).reshape(shape)
            if rng.random() < 0.4
            else (rng.random(shape) < 0.4).astype(dtype)
        )
    order = int(rng.integers(7))
    if order == 0:
        values = np.asfortranarray(values)
    elif order == 1 and values.ndim:
        values = values[..., ::-1]
    elif order == 2 and values.ndim:
        values = np.repeat(values, 2, axis=-1)[..., ::2]
    elif order == 3:
        values = np.broadcast_to(values[..., :1], shape) if values.ndim and values.size else values
    elif order == 4:
        values.setflags(write=False)
    container = int(rng.integers(8))
    if container == 0:
        return list(values) if values.ndim else values
    if container == 1:
        return values.tolist()
    if container == 2:
        return np.ma.masked_array(values, mask=rng.random(shape) < 0.3)
    if container == 3:
        return values.astype(object)
    if container == 4 and values.dtype.kind in "biuf" and values.dtype.isnative:
        return memoryview(np.ascontiguousarray(values))
    if container == 5:
        return np.zeros(shape, [("spikes", dtype)])
    return values
