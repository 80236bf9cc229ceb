"""YAML files as plain mappings: no objects, no aliases, nothing larger than a person writes."""

import os
import re
from pathlib import Path
from typing import Any

import yaml

from gigaxas.errors import InputError

LARGEST_FILE = 1_000_000


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without aliases: a few lines of these can stand for more than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            problem = "aliases (*name) are not read; write the value out"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
        return super().compose_node(parent, index)


def _mapping(loader: _PlainLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    """Return a mapping; a key that is given twice is an error, not the last of both."""
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in found:
            problem = f"{key} is given twice; keep one of them"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_PlainLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path) -> dict[Any, Any]:
    """Read a YAML file that is one mapping; `${NAME}` and `${NAME:-default}` stand for environment variables.

    Raises InputError for a file that is missing, unreadable, no such mapping, or beyond a megabyte.
    """
    return parse_yaml(_expand(read_text(path, LARGEST_FILE), path), path)


def read_text(path: Path, largest: int) -> str:
    """Read a file of at most `largest` bytes. Raises InputError where it is missing, larger or no text."""
    try:
        size = path.stat().st_size
        if size > largest:
            raise InputError(f"{path}: found {size} bytes, expected at most {largest} of YAML")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; give the path of a configuration") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


def parse_yaml(text: str, path: Path) -> dict[Any, Any]:
    """Parse YAML that is one mapping; `path` is where the text is from.

    Raises InputError for what is no such mapping, for an alias, and for text beyond a megabyte.
    """
    if len(text) > LARGEST_FILE:
        raise InputError(f"{path}: found {len(text)} characters, expected at most {LARGEST_FILE} of YAML")
    try:
        found = yaml.load(text, Loader=_PlainLoader)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: found {type(found).__name__}, expected a mapping of sections")
    return found


def _expand(text: str, path: Path) -> str:
    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match["name"], match["default"])
        if found is None:
            raise InputError(f"{path}: the environment variable {match['name']} is not set; set it")
        return found

    return re.sub(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}", value, text)


def render_yaml(document: dict[str, Any]) -> str:
    """Return a mapping as the text of a YAML file, its keys in their order."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000).rstrip()
