"""Steps, and the time that all of them have together."""

import sys
import time
from dataclasses import dataclass, field
from typing import Callable


@dataclass
class Step:
    """One thing to do. `do(seconds)` returns a dictionary, `ok` among it for a check, and ends within the seconds."""

    name: str
    kind: str
    do: Callable[[float], dict]
    # The most seconds that it may take, and the fewest that make it worth a beginning.
    limit: float
    least: float = 5
    facts: dict = field(default_factory=dict)


class LeftOut(Exception):
    """Why a step was not done, which is no failure."""


class Failed(Exception):
    """Why a step that was begun has no result."""


class TookTooLong(Failed):
    """It was not done within the seconds that it had."""


class Deadline:
    """The seconds of a step that consists of several programs."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        return max(self.end - time.monotonic(), 0.1)


class Budget:
    """So many seconds from now on."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        return self.end - time.monotonic()

    def run(self, step):
        """What the step gave, with `seconds`, and `left_out` or `error` where it gave nothing."""
        left = self.left()
        if left < step.least:
            return {"left_out": f"{max(left, 0):.0f} s were left"}
        started = time.monotonic()
        print(f"[{left:4.0f} s left] {step.name}", file=sys.stderr, flush=True)
        try:
            found = step.do(min(step.limit, left))
        except LeftOut as why:
            found = {"left_out": str(why)}
        except TookTooLong as why:
            # Where the step had less than its own limit, the end of all time has cut it off.
            found = {"error" if left >= step.limit else "left_out": str(why)}
        except Failed as why:
            found = {"error": str(why)}
        except Exception as why:
            # The kit's own mistake, or output of another form than it expects: the rest is done all the same.
            found = {"error": f"{type(why).__name__}: {why}"}
        return {**found, "seconds": round(time.monotonic() - started, 1)}
