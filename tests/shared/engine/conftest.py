"""One function's surroundings, in moto."""

from tests.stack import stack as stack
