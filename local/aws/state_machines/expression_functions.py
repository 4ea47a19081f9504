"""The functions that Step Functions adds to JSONata: $uuid, $hash, $parse, $range, $partition, $random.

What they take and answer: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from typing import TYPE_CHECKING, Any

from local.aws.state_machines.json_values import to_bound

if TYPE_CHECKING:
    from collections.abc import Callable

# AWS names the algorithms so, and has no others; a range has no more than so many numbers.
ALGORITHMS = {
    "MD5": hashlib.md5,
    "SHA-1": hashlib.sha1,
    "SHA-256": hashlib.sha256,
    "SHA-384": hashlib.sha384,
    "SHA-512": hashlib.sha512,
}
LARGEST_RANGE = 1000


def new_uuid() -> str:
    """Return a random (version 4) UUID."""
    return str(uuid.uuid4())


def hash_of(value: Any = None, algorithm: Any = None) -> str | None:
    """Return the hexadecimal digest of the UTF-8 bytes of `value`."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError("Argument 1 of function hash must be a string")
    if algorithm not in ALGORITHMS:
        raise ValueError(f"Argument 2 of function hash must be one of {', '.join(ALGORITHMS)}")
    return ALGORITHMS[algorithm](value.encode()).hexdigest()


def parse(text: Any = None) -> Any:
    """Return the value that the JSON text says."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError("Argument 1 of function parse must be a string")
    return to_bound(json.loads(text))


def number_range(first: Any = None, last: Any = None, step: Any = 1) -> list[Any] | None:
    """Return the numbers from `first` to `last`, both included, `step` apart."""
    if first is None or last is None or step is None:
        return None
    if not all(_is_number(value) for value in (first, last, step)):
        raise TypeError("The arguments of function range must be numbers")
    if step == 0:
        raise ValueError("Argument 3 of function range must not be zero")
    count = max(0, int((last - first) // step) + 1)
    if count > LARGEST_RANGE:
        raise ValueError(f"Function range returns at most {LARGEST_RANGE} numbers, not {count}")
    return [first + index * step for index in range(count)]


def partition(array: Any = None, size: Any = None) -> list[list[Any]] | None:
    """Return the array's items in arrays of `size`, the last one with what is left."""
    if array is None:
        return None
    items = array if isinstance(array, list) else [array]
    if not _is_number(size) or size < 1 or int(size) != size:
        raise ValueError("Argument 2 of function partition must be a positive integer")
    return [items[start : start + int(size)] for start in range(0, len(items), int(size))]


def random_number(seed: Any = None) -> float:
    """Return a number of 0 up to 1; the same one for the same seed."""
    if seed is None:
        return random.random()  # noqa: S311 - JSONata's $random makes no secrets
    if not _is_number(seed):
        raise TypeError("Argument 1 of function random must be a number")
    return random.Random(seed).random()  # noqa: S311 - the same


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def refuse_eval(*_arguments: Any) -> Any:
    """Refuse $eval, which Step Functions does not have."""
    raise ValueError("Function eval is not available; use $parse")


AWS_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "uuid": new_uuid,
    "hash": hash_of,
    "parse": parse,
    "range": number_range,
    "partition": partition,
    "random": random_number,
    "eval": refuse_eval,
}
