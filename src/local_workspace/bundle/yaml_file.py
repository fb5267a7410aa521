"""One YAML or JSON file of a bundle as plain data, read by the rules that the Databricks CLI reads it by.

These are YAML 1.2's: `yes`, `on` and dates are text, which YAML 1.1 (PyYAML's default) takes for booleans and dates.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from local_workspace.bundle.errors import InvalidYaml, MissingFile
from local_workspace.bundle.located import Located


def read(root: Path, file: str) -> dict[str, Any]:
    """The mapping in `root / file`; its texts are `Located`. Raises MissingFile, InvalidYaml."""
    try:
        text = (root / file).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingFile(f"{file} does not exist.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidYaml(f"{file} cannot be read: {error}.") from error
    try:
        data = _load(text, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{file}:{mark.line + 1}" if mark else file
        raise InvalidYaml(f"{where}: not valid YAML: {error.problem or error}.") from error
    except yaml.YAMLError as error:
        raise InvalidYaml(f"{file}: not valid YAML: {error}.") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InvalidYaml(f"{file}: a bundle file must hold a mapping, not {data!r}.")
    return data


def _load(text: str, file: str) -> Any:
    loader = _Loader(text)
    loader.file = file
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """Scalars by YAML 1.2's core schema; texts keep their place."""

    file: str
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's interface


def _construct_text(loader: _Loader, node: yaml.ScalarNode) -> Located:
    return Located(node.value, loader.file, node.start_mark.line + 1)


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    loader.flatten_mapping(node)
    mapping = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(
                problem="a key must be text", problem_mark=key_node.start_mark
            )
        mapping[str(key_node.value)] = loader.construct_object(value_node, deep=True)
    return mapping


def _construct_integer(_: _Loader, node: yaml.ScalarNode) -> int:
    return int(node.value, 0 if node.value.lstrip("+-").startswith(("0x", "0o")) else 10)


_Loader.add_constructor("tag:yaml.org,2002:str", _construct_text)
_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_integer)
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), [*_first]
    )
# An empty scalar is null; PyYAML looks its resolvers up under the empty text.
_Loader.yaml_implicit_resolvers[""] = _Loader.yaml_implicit_resolvers["\0"]
