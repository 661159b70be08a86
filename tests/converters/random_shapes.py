"""How the layers are drawn that move numbers and change none, and by Caffe's rules what shape each gives."""

from __future__ import annotations

from math import prod

from random_nets import Network, Shape, Unfit


def concat(net: Network) -> None:
    first = net.bottom(lambda shape: len(shape) > 1)
    shape = net.blobs[first].shape
    axis = net.whole(1, len(shape) - 1) if net.chance(0.5) else 1

    def others(sizes: Shape) -> Shape:
        return (*sizes[:axis], *sizes[axis + 1 :], len(sizes))

    fitting = [name for name, blob in net.blobs.items() if others(blob.shape) == others(shape) and name != first]
    bottoms = [first, net.one(fitting)] + [name for name in fitting[:1] if net.chance(0.3)]
    length = sum(net.blobs[name].shape[axis] for name in bottoms)
    text = "" if axis == 1 else f"concat_param {{ axis: {axis - net.one((0, len(shape)))} }}"
    net.add("Concat", bottoms, [(*shape[:axis], length, *shape[axis + 1 :])], text)


def slices(net: Network) -> None:
    bottom = net.bottom(lambda shape: len(shape) > 1)
    shape = net.blobs[bottom].shape
    axis = net.whole(1, len(shape) - 1)
    size = shape[axis]
    if size % 2 == 0 and net.chance(0.4):
        parts, text = [size // 2] * 2, f"axis: {axis}"
    elif size > 2:
        points = sorted({net.whole(1, size - 1) for _ in range(net.whole(1, 2))})
        parts = [b - a for a, b in zip([0, *points], [*points, size])]  # noqa: B905 - not in Python 3.9
        text = f"axis: {axis}" + "".join(f" slice_point: {point}" for point in points)
    else:
        raise Unfit
    net.add("Slice", bottom, [(*shape[:axis], p, *shape[axis + 1 :]) for p in parts], f"slice_param {{ {text} }}")


def split(net: Network) -> None:
    bottom = net.bottom()
    net.add("Split", bottom, [net.blobs[bottom].shape] * 2, shares_memory=True)


def flatten(net: Network) -> None:
    bottom = net.bottom(lambda shape: len(shape) > 2)
    shape = net.blobs[bottom].shape
    axis = net.whole(1, len(shape) - 1)
    end = net.whole(axis, len(shape) - 1)
    top = (*shape[:axis], prod(shape[axis : end + 1]), *shape[end + 1 :])
    text = f"flatten_param {{ axis: {axis} end_axis: {end - net.one((0, len(shape)))} }}"
    if net.chance(0.4):
        top, text = (shape[0], prod(shape[1:])), ""
    net.add("Flatten", bottom, [top], text, shares_memory=True)


def reshape(net: Network) -> None:
    bottom = net.bottom(lambda shape: len(shape) > 1)
    shape = net.blobs[bottom].shape
    count = prod(shape[1:])
    first = net.one([size for size in range(2, count) if count % size == 0])
    forms: list[tuple[Shape, str]] = [((shape[0], first, count // first), f"shape {{ dim: 0 dim: {first} dim: -1 }}")]
    forms.append(((shape[0], first, 1, count // first), f"shape {{ dim: 0 dim: -1 dim: 1 dim: {count // first} }}"))
    forms.append(((shape[0], count // first, first), f"shape {{ dim: -1 dim: {first} }} axis: 1"))
    if len(shape) < 4:
        forms.append(((*shape[:1], 1, *shape[1:]), "shape { dim: 1 } axis: 1 num_axes: 0"))
    else:
        forms.append(((*shape[:2], shape[2] * shape[3]), "shape { dim: -1 } axis: 2 num_axes: 2"))
        forms.append(((*shape[:2], shape[3], shape[2]), f"shape {{ dim: 0 dim: 0 dim: {shape[3]} dim: -1 }}"))
    top, text = net.one(forms)
    net.add("Reshape", bottom, [top], f"reshape_param {{ {text} }}", shares_memory=True)


def permute(net: Network) -> None:
    bottom, shape = net.image()
    order = net.one([(0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2), (0, 2, 1, 3), (0, 3, 2, 1)])
    text = " ".join(f"order: {axis}" for axis in order)
    net.add("Permute", bottom, [tuple(shape[axis] for axis in order)], f"permute_param {{ {text} }}")


def crop(net: Network) -> None:
    bottom = net.bottom(lambda shape: len(shape) > 2)
    shape = net.blobs[bottom].shape
    axis = net.whole(1, len(shape) - 1)
    smaller = [
        name
        for name, blob in net.blobs.items()
        if name != bottom
        and len(blob.shape) == len(shape)
        and blob.shape[axis:] != shape[axis:]
        and all(a <= b for a, b in zip(blob.shape[axis:], shape[axis:]))  # noqa: B905 - not in Python 3.9
    ]
    other = net.one(smaller)
    sizes = net.blobs[other].shape[axis:]
    offsets = [net.whole(0, b - a) for a, b in zip(sizes, shape[axis:])]  # noqa: B905 - not in Python 3.9
    if len(set(offsets)) == 1:
        offsets = offsets[:1]
    text = f"axis: {axis}" + "".join(f" offset: {offset}" for offset in offsets)
    net.add("Crop", [bottom, other], [(*shape[:axis], *sizes)], f"crop_param {{ {text} }}")


def tile(net: Network) -> None:
    bottom = net.bottom(lambda shape: len(shape) > 1)
    shape, tiles = net.blobs[bottom].shape, net.whole(2, 3)
    axis = net.whole(1, len(shape) - 1)
    top = (*shape[:axis], shape[axis] * tiles, *shape[axis + 1 :])
    net.add("Tile", bottom, [top], f"tile_param {{ axis: {axis} tiles: {tiles} }}")
