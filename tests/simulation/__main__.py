"""`python -m tests.simulation --seeds 10000`: every seed a world; for one that breaks an invariant, its shortest story."""

import argparse
import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence

from tests.simulation.plan import plan_of
from tests.simulation.shrink import story_of, told
from tests.simulation.world import run

_STORIES = 3
"""Failing seeds whose stories are told; of the others only the numbers."""

_COLLECT_EVERY = 25
"""Seeds between two collections of garbage: a world is a cycle of tasks and futures."""


def main() -> int:
    """The exit code: 1 if a seed breaks an invariant."""
    options = _options()
    if options.seed is not None:
        plan = plan_of(options.seed)
        print(told(plan, run(plan, tell=True)) if options.story else story_of(plan))
        return 1 if run(plan).violations else 0
    seeds = range(options.start, options.start + options.seeds)
    began = time.perf_counter()
    failed = sorted(seed for seed in _failing(seeds, options.processes) if seed is not None)
    took = time.perf_counter() - began
    print(
        f"{len(seeds)} seeds from {seeds.start} in {took:.0f} s, {len(seeds) / took:.1f} seeds/s in {options.processes} processes: "
        f"{len(failed)} broke an invariant"
    )
    for seed in failed[:_STORIES]:
        print(f"\n{story_of(plan_of(seed))}")
    if failed:
        print(f"\nfailing seeds: {' '.join(map(str, failed))}")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds")
    parser.add_argument("--from", dest="start", type=int, default=0, help="the first of them")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many at once")
    parser.add_argument(
        "--seed", type=int, help="this one alone, and its story: the shortest if it breaks an invariant"
    )
    parser.add_argument("--story", action="store_true", help="with --seed: the whole story, not the shortest")
    return parser.parse_args()


def _failing(seeds: Sequence[int], processes: int) -> Iterator[int | None]:
    """Play every seed; each that breaks an invariant, and None for the others. Says every now and then how far it is."""
    with multiprocessing.Pool(processes, _settle_down) as pool:
        began = said = time.perf_counter()
        for done, failing in enumerate(pool.imap_unordered(_play, seeds, chunksize=_COLLECT_EVERY), 1):
            yield failing
            if failing is not None:
                print(f"seed {failing} breaks an invariant", file=sys.stderr, flush=True)
            if time.perf_counter() - said > 60:
                said = time.perf_counter()
                print(f"{done} seeds, {done / (said - began):.1f} seeds/s", file=sys.stderr, flush=True)


def _settle_down() -> None:
    """What is there now stays; garbage is collected between worlds, not within them."""
    gc.collect()
    gc.freeze()
    gc.disable()


def _play(seed: int) -> int | None:
    if seed % _COLLECT_EVERY == 0:
        gc.collect()
    return seed if run(plan_of(seed)).violations else None


if __name__ == "__main__":
    sys.exit(main())
