"""What the workspace asks the fork server: a kind and a task's number; a start carries the task's socket."""

import struct

REQUEST = struct.Struct("!cI")
START, TERMINATE, KILL = b"S", b"T", b"K"
