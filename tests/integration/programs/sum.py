"""A contest solution: a count, then as many numbers; prints their sum and the largest few."""

import bisect
import collections
import decimal
import fractions
import functools
import heapq
import itertools
import math
import random
import string
import sys
import threading
import time

sys.setrecursionlimit(10**6)


@functools.cache
def factorial(number: int) -> int:
    return 1 if number < 2 else number * factorial(number - 1)


def main() -> None:
    _, *numbers = map(int, sys.stdin.buffer.read().split())
    random.seed(time.time_ns())
    random.shuffle(numbers)
    ordered = sorted(numbers)
    assert bisect.bisect_left(ordered, ordered[-1]) < len(ordered)
    assert len(collections.Counter(numbers)) == len({decimal.Decimal(number) for number in numbers})
    assert fractions.Fraction(1, 2) + len(list(itertools.pairwise(numbers))) > 0
    assert factorial(500) == math.factorial(500)
    with threading.Lock():
        print(sum(numbers), *heapq.nlargest(3, numbers), string.digits)


main()
