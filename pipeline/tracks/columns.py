"""Columns of numbers as bytes: differences where neighbours are alike, small types, deflate."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

LARGEST_BYTES = 64 * 1024 * 1024
"""A block unpacks to no more: a damaged or hostile one must not eat the memory."""
LEVEL = 6
_COLUMN = struct.Struct("<BI")
_WIDTHS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def pack(columns: Mapping[str, Ints], names: Sequence[str]) -> bytes:
    """The columns in the order of `names`, each of any length."""
    parts = []
    for name in names:
        zigzag = _zigzag(columns[name])
        largest = int(zigzag.max(initial=0))
        width = next(width for width in _WIDTHS if largest < 1 << 8 * width)
        planes = zigzag.astype(_WIDTHS[width]).view(np.uint8).reshape(-1, width).T
        parts += [_COLUMN.pack(width, len(zigzag)), planes.tobytes()]
    return zlib.compress(b"".join(parts), LEVEL)


def unpack(data: bytes, names: Sequence[str]) -> dict[str, Ints]:
    """What `pack` made. Raises ValueError for anything else."""
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(data, LARGEST_BYTES)
    except zlib.error as error:
        raise ValueError(f"does not unpack ({error})") from None
    if not unpacker.eof:
        raise ValueError("is cut off, or too large")
    columns, start = {}, 0
    for name in names:
        if start + _COLUMN.size > len(raw):
            raise ValueError(f"ends before column {name}")
        width, count = _COLUMN.unpack_from(raw, start)
        start += _COLUMN.size
        if width not in _WIDTHS or start + width * count > len(raw):
            raise ValueError(f"column {name} is damaged")
        planes = np.frombuffer(raw, np.uint8, width * count, start).reshape(width, count)
        start += width * count
        columns[name] = _unzigzag(np.ascontiguousarray(planes.T).view(_WIDTHS[width]).reshape(-1))
    return columns


def differences(values: Ints, groups: Ints) -> Ints:
    """Each value less the one before it in its group; the first of a group as it is."""
    order, first = _grouped(groups)
    sorted_values = values[order]
    steps = np.diff(sorted_values, prepend=0)
    steps[first] = sorted_values[first]
    out = np.empty_like(values)
    out[order] = steps
    return out


def sums(steps: Ints, groups: Ints) -> Ints:
    """The inverse of `differences`."""
    order, first = _grouped(groups)
    sorted_steps = steps[order]
    total = np.cumsum(sorted_steps)
    starts = np.flatnonzero(first)
    before = (total - sorted_steps)[starts]
    total -= np.repeat(before, np.diff(starts, append=len(total)))
    out = np.empty_like(steps)
    out[order] = total
    return out


def bits(values: Sequence[float]) -> Ints:
    """Floats as the integers that have the same bits: exact, and near where the floats are near."""
    return np.asarray(values, np.float64).view(np.int64)


def floats(values: Ints) -> npt.NDArray[np.float64]:
    """The inverse of `bits`."""
    return np.ascontiguousarray(values).view(np.float64)


def _grouped(groups: Ints) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return order, first


def _zigzag(values: Ints) -> npt.NDArray[np.uint64]:
    return ((values << 1) ^ (values >> 63)).view(np.uint64)


def _unzigzag(values: npt.NDArray[np.unsignedinteger]) -> Ints:
    wide = values.astype(np.uint64)
    return (wide >> np.uint64(1)).view(np.int64) ^ -(wide & np.uint64(1)).view(np.int64)
