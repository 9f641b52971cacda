"""How much a run measures."""

from dataclasses import dataclass


@dataclass
class Plan:
    is_quick: bool
    rounds: int
    seconds: float  # one measured window
    warmup_seconds: float
    idle_connections: int
    cases: set[str] | None = None  # None measures all

    @staticmethod
    def full() -> "Plan":
        return Plan(is_quick=False, rounds=3, seconds=2, warmup_seconds=0.5, idle_connections=15_000)

    @staticmethod
    def quick() -> "Plan":
        return Plan(is_quick=True, rounds=3, seconds=1, warmup_seconds=0.5, idle_connections=5_000)

    def includes(self, case: str) -> bool:
        return self.cases is None or case in self.cases
