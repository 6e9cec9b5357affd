"""Two encoders, compared: the form of safetensors is a length, a header in JSON, and numbers one after the other."""

import array
import json
import math
import struct


def weights(path):
    """Name → float32 numbers of a safetensors file, without running statistics and counters."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        start = file.tell()
        found = {}
        for name, entry in header.items():
            is_weight = name != "__metadata__" and "running_" not in name and entry["dtype"] == "F32"
            if is_weight:
                begin, stop = entry["data_offsets"]
                file.seek(start + begin)
                numbers = array.array("f")
                numbers.frombytes(file.read(stop - begin))
                found[name] = numbers
        return found


def distance(one, other):
    """Euclid's, over all weights."""
    if one.keys() != other.keys():
        raise ValueError("the two encoders have other weights")
    return math.sqrt(sum(math.dist(one[name], other[name]) ** 2 for name in one))


def deviation(one, other, initial):
    """How far two encoders have come apart, as a share of the way that the second has gone from the initial one."""
    one, other, initial = weights(one), weights(other), weights(initial)
    way = distance(other, initial)
    return distance(one, other) / way if way else math.inf


def largest_difference(losses, others):
    """Of two lists of losses, relative to the second."""
    if len(losses) != len(others) or not losses:
        raise ValueError(f"{len(losses)} losses beside {len(others)}")
    return max(abs(a - b) / abs(b) for a, b in zip(losses, others))
