"""What is asked of the fork server: a kind and a task's number; a start carries the task's socket and its log."""

import struct

REQUEST = struct.Struct("!cI")
START, TERMINATE, KILL = b"S", b"T", b"K"
