"""The retry budget (S60)."""

from __future__ import annotations

from typing import Any


class Budget:
    """tokens: of the bucket, or of the switch."""

    def __init__(self, rules: Any) -> None:
        self.rules = rules
        self.tokens: float = rules.burst

    def earn(self) -> None:
        self.tokens = min(self.rules.burst, self.tokens + self.rules.ratio)

    def first_attempt(self) -> None:
        """S60: a cap earns with each first attempt."""
        if self.rules.kind == "cap":
            self.earn()

    def succeeded(self) -> None:
        """S60: a switch earns with each success."""
        if self.rules.kind == "switch":
            self.earn()

    def failed(self) -> None:
        """S60: a switch pays for each failed attempt."""
        if self.rules.kind == "switch":
            self.tokens = max(0.0, self.tokens - 1)

    def lets_retry(self) -> bool:
        """S60: a cap pays for each retry; a switch lets it if more than half is left."""
        if self.rules.kind == "switch":
            return self.tokens > self.rules.burst / 2
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
