"""The page of settings: types, limits and meanings from the classes, defaults and reasons from
config.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from ptmiss.tasks.registry import task

INTRODUCTION = """# Settings

Every key of `config.yaml`, section by section. Types, limits and meanings come from the settings
classes in the rooms `settings` of `scripts/ptmiss/`; defaults and reasons from `config.yaml`, where
each value stands with its reason. There are no defaults elsewhere. Unknown keys are refused before
any job.

To change something, write only the changed keys into a file of your own and add `--configfile
own.yaml`. Sections are merged key by key; only `samples` and `trainings` replace the default ones.
`NAME` stands for a name of your choice: letters, digits and underscores, beginning with a letter.
"""

PLACE = "NAME"


@dataclass(frozen=True)
class Key:
    """A setting: dotted path, type with limits, meaning."""

    path: str
    kind: str
    meaning: str


def text(config: Path) -> str:
    """Return the page. config: the file with all defaults."""
    source = config.read_text(encoding="utf-8")
    reasons, defaults = comments(source), yaml.safe_load(source)
    schema = task(defaults["task"]).configuration().model_json_schema()
    parts = [INTRODUCTION]
    for section, node in schema["properties"].items():
        about = _resolve(node, schema).get("description", "")
        parts += [f"## {section}", "", _cell(reasons.get(section) or about), ""]
        parts += ["| key | type | meaning | default, and why |", "|---|---|---|---|"]
        for key in keys(node, schema, section):
            why = ": ".join(filter(None, [_default(defaults, key.path), reasons.get(key.path, "")]))
            row = (f"`{key.path}`", key.kind, key.meaning, why)
            parts.append(f"| {' | '.join(map(_cell, row))} |")
        parts.append("")
    return "\n".join(parts)


def keys(node: Mapping, schema: Mapping, path: str) -> Iterator[Key]:
    """Yield the settings below a node of the JSON schema, depth first."""
    meaning = node.get("description", "")
    node = _resolve(node, schema)
    if "properties" in node:
        for name, child in node["properties"].items():
            yield from keys(child, schema, f"{path}.{name}")
    elif alternatives := node.get("oneOf"):
        for one in alternatives:
            found = _resolve(one, schema)
            if "properties" not in found:  # the short form of a section
                yield Key(path, kind(found, schema), meaning)
                continue
            which = next(iter(_constants(found)), "")
            for name, child in found["properties"].items():
                for key in keys(child, schema, f"{path}.{name}"):
                    note = f" ({which})" if which else ""
                    yield Key(key.path, key.kind, f"{key.meaning}{note}".strip())
    elif named := _of_names(node):
        child = _resolve(named, schema)
        if "properties" in child or "oneOf" in child:
            yield from keys(named, schema, f"{path}.{PLACE}")
        else:
            yield Key(path, f"names with {kind(named, schema)} each", meaning)
    else:
        yield Key(path, kind(node, schema), meaning)


def _constants(node: Mapping) -> Iterator[str]:
    for name in ("source", "kind"):
        child = node["properties"].get(name, {})
        if "const" in child:
            yield str(child["const"])
        elif "enum" in child:
            yield " or ".join(child["enum"])
        elif "examples" in child:
            yield " or ".join(child["examples"])


def _of_names(node: Mapping) -> Mapping | None:
    if node.get("type") != "object":
        return None
    found = [*node.get("patternProperties", {}).values()]
    more = node.get("additionalProperties")
    return found[0] if found else more if isinstance(more, Mapping) else None


def kind(node: Mapping, schema: Mapping) -> str:
    """Return type and limits of a value in words."""
    node = _resolve(node, schema)
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return "one of " + ", ".join(f"`{value}`" for value in node["enum"])
    if "anyOf" in node:
        return " or ".join(kind(one, schema) for one in node["anyOf"])
    name = node.get("type", "value")
    if name == "array":
        if "prefixItems" in node:
            return "[" + ", ".join(kind(one, schema) for one in node["prefixItems"]) + "]"
        least = f", at least {node['minItems']}" if node.get("minItems") else ""
        return f"list of {kind(node.get('items', {}), schema)}{least}"
    words = {"number": "number", "integer": "integer", "string": "text", "boolean": "true or false"}
    limits = [
        f"{sign} {node[key]:g}"
        for key, sign in (
            ("minimum", "\u2265"), ("exclusiveMinimum", ">"),
            ("maximum", "\u2264"), ("exclusiveMaximum", "<"),
        )
        if key in node
    ]  # fmt: skip
    if "maxLength" in node:
        limits.append(f"up to {node['maxLength']} letters")
    return ", ".join([words.get(name, name), *limits])


def _resolve(node: Mapping, schema: Mapping) -> Mapping:
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def _default(values: Mapping, path: str) -> str:
    found = values
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return ""
        found = found[part]
    words = json.dumps(found, ensure_ascii=False)
    return f"`{words}`" if len(words) <= 60 else f"`{words[:56]}...`"


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "\\|").replace("<", "&lt;")


def comments(source: str) -> dict[str, str]:
    """Return dotted key -> its comment in a YAML text.

    A comment belongs to the key on its line, with the lines below it that hold nothing else and are
    indented more than the key; else to the next key, if it stands directly above that.
    """
    lines = source.splitlines()
    places = dict(_places(yaml.compose(source), ""))
    by_line = {start: path for path, (start, _) in reversed(list(places.items()))}
    found: dict[str, str] = {}
    for path, (start, end) in places.items():
        column = len(lines[start]) - len(lines[start].lstrip())
        if by_line[start] != path:
            continue
        above, i = [], start - 1
        while i >= 0 and lines[i].lstrip().startswith("#") and _indent(lines[i]) == column:
            above.insert(0, lines[i])
            i -= 1
        beside, i = [_after(lines[end])] if _after(lines[end]) else [], end + 1
        while (
            beside and i < len(lines) and lines[i].lstrip().startswith("#")
            and _indent(lines[i]) > column + 4
        ):  # fmt: skip
            beside.append(lines[i])
            i += 1
        words = [_strip(line) for line in (*above, *beside)]
        words = [word for word in words if word and not set(word) <= set("-")]
        if words:
            found[path] = " ".join(words)
    return found


def _places(node: yaml.Node, path: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield dotted key -> first line, and the line its value ends on if it is a plain value."""
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        name = f"{path}.{key.value}".strip(".")
        block = isinstance(value, yaml.MappingNode) and not value.flow_style
        end = key.end_mark.line if block else value.end_mark.line
        yield name, (key.start_mark.line, end)
        yield from _places(value, name)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _after(line: str) -> str:
    quoted = False
    for i, sign in enumerate(line):
        quoted ^= sign == '"'
        if sign == "#" and not quoted and i and line[i - 1] in " \t":
            return line[i:]
    return ""


def _strip(line: str) -> str:
    return line.strip().lstrip("#").strip()
