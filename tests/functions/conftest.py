"""One function's surroundings, in moto; and several functions'."""

from tests.reconciling import deployed as deployed
from tests.stack import stack as stack
