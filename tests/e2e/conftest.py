from support.launcher import start, state

__all__ = ["start", "state"]
