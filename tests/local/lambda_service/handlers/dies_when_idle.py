"""A module whose process ends whenever nobody calls it."""

import os
import threading
import time
from typing import Any


def end_soon() -> None:
    time.sleep(0.3)
    os._exit(0)


def handler(event: Any, context: Any) -> int:
    threading.Thread(target=end_soon, daemon=True).start()
    return os.getpid()
