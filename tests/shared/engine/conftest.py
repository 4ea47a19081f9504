"""One function's surroundings, in moto; and several functions'."""

from tests.machine import machine as machine
from tests.reconciling import deployed as deployed
from tests.stack import stack as stack
