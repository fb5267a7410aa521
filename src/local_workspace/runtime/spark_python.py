"""Runs a Python file."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from local_workspace.runtime.channel import Channel, Message
from local_workspace.runtime.namespace import make_namespace
from local_workspace.runtime.outputs import print_output


def run(spec: Message, channel: Channel) -> None:
    """Run the file as `__main__`, with Databricks' names in it and its folder on `sys.path`."""
    namespace = make_namespace(spec, channel, print_output)
    sys.argv = [spec["file"], *spec["argv"]]
    sys.path.insert(0, str(Path(spec["file"]).parent))
    channel.send("started")
    runpy.run_path(spec["file"], init_globals=namespace, run_name="__main__")
