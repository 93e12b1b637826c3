"""A bounded queue whose owners take turns, so that a flood of one owner delays no other. Pure."""

from collections import deque
from typing import Generic, NamedTuple, TypeVar

_T = TypeVar("_T")


class _Waiting(NamedTuple, Generic[_T]):
    item: _T
    weight: int


class FairQueue(Generic[_T]):
    """Items by owner, oldest first. A weight is in the unit of the bounds: records, subjects, calls."""

    def __init__(self, weight_max: int) -> None:
        """Make an empty queue with a total weight of at most ``weight_max``."""
        self._weight_max = weight_max
        self._queues: dict[str, deque[_Waiting[_T]]] = {}  # in the order of turns
        self._weights: dict[str, int] = {}
        self.weight = 0

    def push(self, owner: str, item: _T, weight: int) -> list[_T]:
        """Add an item, and return the items that are dropped for it: the newest of the owner with the greatest weight.
        Where no other owner has more, the item itself is dropped. An empty queue takes any item."""
        is_full = self.weight > 0 and self.weight + weight > self._weight_max
        if is_full and self._weight_of(owner) + weight >= self._heaviest_but(owner)[0]:
            return [item]
        self._queues.setdefault(owner, deque()).append(_Waiting(item, weight))
        self._weigh(owner, weight)
        gone = []
        while self.weight > self._weight_max and len(self._queues) > 1:
            heaviest = self._heaviest_but(owner)[1]
            dropped = self._queues[heaviest].pop()
            self._weigh(heaviest, -dropped.weight)
            gone.append(dropped.item)
        return gone

    def take(self, weight_max: int) -> list[_T]:
        """Return the next items, of a weight of at most ``weight_max`` or else a single one; an empty list where none
        waits.

        Each owner's items are taken in their order while they fit; after its turn an owner is the last one.
        """
        taken: list[_T] = []
        weight_left = weight_max
        for owner in list(self._queues):
            queue = self._queues[owner]
            before = len(taken)
            while queue and (queue[0].weight <= weight_left or not taken):
                item, weight = queue.popleft()
                self._weigh(owner, -weight)
                weight_left -= weight
                taken.append(item)
            if queue and len(taken) > before:
                self._queues[owner] = self._queues.pop(owner)
            if queue or weight_left <= 0:
                break
        return taken

    def _weigh(self, owner: str, change: int) -> None:
        self.weight += change
        self._weights[owner] = self._weight_of(owner) + change
        if not self._queues[owner]:
            del self._queues[owner], self._weights[owner]

    def _weight_of(self, owner: str) -> int:
        return self._weights.get(owner, 0)

    def _heaviest_but(self, owner: str) -> tuple[int, str]:
        return max(((weight, other) for other, weight in self._weights.items() if other != owner), default=(0, ""))
