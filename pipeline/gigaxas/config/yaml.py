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


def read_document(path: Path) -> dict[Any, Any]:
    """Read a YAML file that is one mapping; `${NAME}` and `${NAME:-default}` stand for environment variables.

    Raises InputError for a file that is missing, unreadable, no such mapping, or beyond a megabyte.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise InputError(f"{path}: found {size} bytes, expected at most {LARGEST_FILE} of YAML")
        document = yaml.load(_expand(path.read_text(encoding="utf-8"), path), Loader=_PlainLoader)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; give the path of a configuration") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: found {type(document).__name__}, expected a mapping of sections")
    return document


def _expand(text: str, path: Path) -> str:
    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match["name"], match["default"])
        if found is None:
            raise InputError(f"{path}: the environment variable {match['name']} is not set; set it")
        return found

    return re.sub(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}", value, text)
