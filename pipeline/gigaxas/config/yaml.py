"""YAML files as plain mappings: no objects, no tags, no aliases, nothing larger than a person writes."""

import os
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from gigaxas.errors import InputError

LARGEST_FILE = 1_000_000
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}\n]*))?\}")
PLACE = re.compile("\ue000(\\d+)\ue001+")
"""Stands for a variable until it is known where it stands: a comment, too, may hold one."""
DATE = "tag:yaml.org,2002:timestamp"


class _Refused(yaml.MarkedYAMLError):
    """What is valid YAML and not taken."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without tags and aliases: a few lines of these can stand for more than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise _Refused("aliases (*name) are not read; write the value out", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise _Refused(f"tags ({event.tag}) are not read; remove it", event.start_mark)
        return super().compose_node(parent, index)


class _ExpandingLoader(_PlainLoader):
    """The same, where `${NAME}` and `${NAME:-default}` in a value stand for environment variables."""

    def __init__(self, text: str) -> None:
        self.variables: list[re.Match[str]] = []
        super().__init__(VARIABLE.sub(self._placed, text))

    def _placed(self, variable: re.Match[str]) -> str:
        number = str(len(self.variables))
        self.variables.append(variable)
        return f"\ue000{number}".ljust(len(variable.group()), "\ue001")

    def compose_scalar_node(self, anchor: Any) -> Any:
        event = self.peek_event()
        if "${" in event.value:
            raise _Refused(
                f"{event.value} is not read; write ${{NAME}} or ${{NAME:-default}}", event.start_mark
            )
        event.value = PLACE.sub(lambda place: self._value(place, event.start_mark), event.value)
        return super().compose_scalar_node(anchor)

    def _value(self, place: re.Match[str], mark: Any) -> str:
        variable = self.variables[int(place[1])]
        found = os.environ.get(variable["name"]) or variable["default"]
        if found is None:
            raise _Refused(f"the environment variable {variable['name']} is not set; set it", mark)
        return found


def _mapping(loader: _PlainLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    """Return a mapping; a key that is given twice is an error, not the last of both."""
    found: dict[Any, Any] = {}
    seen: set[Any] = set()
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise _Refused("a list or a mapping stands for a key; expected a word", key_node.start_mark)
        if key in seen:
            raise _Refused(f"{key} is given twice; keep one of them", key_node.start_mark)
        seen.add(key)
        value = loader.construct_object(value_node, deep=True)
        # `null` in a word leaves a key out, as programs write it; nothing at all may be forgotten
        if value is not None or not value_node.value:
            found[key] = value
    return found


_PlainLoader.add_constructor("tag:yaml.org,2002:map", _mapping)
_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag != DATE]  # a date is text, such as a title
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path) -> dict[Any, Any]:
    """Read a YAML file that is one mapping; `${NAME}` and `${NAME:-default}` stand for environment variables.

    Raises InputError for a file that is missing, unreadable, no such mapping, or beyond a megabyte.
    """
    return _parsed(read_text(path, LARGEST_FILE), path, _ExpandingLoader)


def read_text(path: Path, largest: int) -> str:
    """Read a file of at most `largest` bytes. Raises InputError where it is missing, larger or no text."""
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; give the path of a configuration") from None
    except IsADirectoryError:
        raise InputError(f"{path}: found a folder, expected a file of YAML; give the path of one") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); see to its permissions") from None
    if len(content) > largest:
        raise InputError(f"{path}: found more than {largest} bytes, expected at most that many of YAML")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}: line {line}: found bytes that are no text in UTF-8, expected YAML; save it as UTF-8"
        ) from None


def parse_yaml(text: str, path: Path) -> dict[Any, Any]:
    """Parse YAML that is one mapping; `path` is where the text is from.

    Raises InputError for what is no such mapping, for an alias or a tag, and for text beyond a megabyte.
    """
    return _parsed(text, path, _PlainLoader)


def _parsed(text: str, path: Path, kind: type[_PlainLoader]) -> dict[Any, Any]:
    if len(text) > LARGEST_FILE:
        raise InputError(f"{path}: found {len(text)} characters, expected at most {LARGEST_FILE} of YAML")
    try:
        loader = kind(text)
        found = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        raise InputError(f"{path}: {_told(error)}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())}); correct it") from None
    if not isinstance(found, dict):
        said = "nothing" if found is None else "a list" if isinstance(found, list) else repr(found)[:80]
        raise InputError(
            f"{path}: found {said}, expected a mapping of sections (`output: runs/mine` and so on)"
        )
    return found


def render_yaml(document: dict[str, Any]) -> str:
    """Return a mapping as the text of a YAML file, its keys in their order."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000).rstrip()


def _told(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}: " if mark else ""
    if isinstance(error, _Refused):
        return f"{where}{error.problem}"
    problem = ": ".join(filter(None, [error.context, error.problem]))
    cure = (
        "indent with spaces, not with tabs" if r"'\t'" in problem else "text that holds a `: ` goes in quotes"
    )
    return f"{where}not valid YAML ({problem}); {cure}"
