"""`bridge demo` and `bridge sandbox`: the whole job on this machine, and the Orchestrator that it is done with."""


def demo() -> None:
    """X"""


def sandbox() -> None:
    """X"""
