"""What a command writes: the text with the shell's expansions still in it, and the images it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from runbook_lib.documents.shell import Piece, Statement, Word

_FIRST_MARK = 0xE000
_MARK = re.compile("([\ue000-\uf8ff])")
_DIRECTIVE = re.compile(r"%(%|s|b)|\\(.)|%.", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_JQ_VALUE = r"\"?{key}\"?\s*:\s*(\$(?:ENV\.)?\w+|env\.\w+|\"(?:[^\"\\]|\\.)*\")"
_JQ_HOLE = re.compile(r"\\\(\s*(\$\w+)\s*\)")


class NotReadable(Exception):
    """Why the text that a command writes cannot be told from the file."""


@dataclass(frozen=True)
class Image:
    """One image that a file names: the container it is for, and the expression, as pieces of a shell word."""

    container: tuple[Piece, ...]
    image: tuple[Piece, ...]


def images_written(chain: tuple[Statement, ...], *, key: str = "imageUri") -> tuple[Image, ...]:
    """The images in what a chain of piped commands writes; NotReadable says what was looked for."""
    producer = next((one for one in reversed(chain) if not _passes_on(one)), chain[-1])
    if producer.program == "jq":
        return _from_jq(producer, key)
    return images_in(pieces_written(producer), key=key)


def pieces_written(statement: Statement) -> tuple[Piece, ...]:
    """The text that printf, echo or a here-document writes."""
    body = next((redirect.body for redirect in statement.redirects if redirect.body is not None), None)
    if statement.program == "cat" and body is not None:
        return body
    writer = _WRITERS.get(statement.program)
    if writer is None:
        raise NotReadable(
            f"written by {statement.program or 'a group of commands'!r}, not by printf, echo, jq or cat <<"
        )
    return writer(statement.arguments)


def images_in(pieces: tuple[Piece, ...], *, key: str) -> tuple[Image, ...]:
    """The images that a JSON text names, its expansions left in place."""
    expansions = [piece for piece in pieces if piece.expands]
    marks = iter(range(_FIRST_MARK, 0xF8FF))
    text = "".join(chr(next(marks)) if piece.expands else piece.text for piece in pieces)
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        raise NotReadable(_no_json(text)) from None
    entries = content if isinstance(content, list) else [content]
    if not entries:
        raise NotReadable("a list without an image")
    return tuple(_image(entry, key, expansions) for entry in entries)


def double_quoted(pieces: tuple[Piece, ...]) -> str:
    """The pieces as one word between double quotes."""
    return f'"{"".join(piece.text if piece.expands else _escaped(piece.text) for piece in pieces)}"'


def shown(pieces: tuple[Piece, ...]) -> str:
    """The expression as people read it."""
    return "".join(piece.text for piece in pieces)


def _passes_on(statement: Statement) -> bool:
    """tee, cat and `jq .` hand on what is piped into them."""
    texts = [word.literal for word in statement.arguments]
    if statement.program == "jq":
        return all(text == "." or (text or "").startswith("-") for text in texts) and "-n" not in texts
    return statement.program == "tee" or (statement.program == "cat" and not texts and not statement.redirects[1:])


def _no_json(text: str) -> str:
    if re.search(r"[\[{]\s*\w+\s*:", text):
        return "no JSON: the shell takes the double quotes away; put the whole text between single quotes"
    return "no JSON text"


def _image(entry: object, key: str, expansions: list[Piece]) -> Image:
    if not isinstance(entry, dict) or not isinstance(entry.get(key), str):
        others = [str(name) for name in entry] if isinstance(entry, dict) else []
        raise NotReadable(f"no key {key!r}" + (f" but {', '.join(others)}" if others else ""))
    name = entry.get("name")
    return Image(_unmarked(name if isinstance(name, str) else "", expansions), _unmarked(entry[key], expansions))


def _unmarked(text: str, expansions: list[Piece]) -> tuple[Piece, ...]:
    parts = [part for part in _MARK.split(text) if part]
    return tuple(expansions[ord(part) - _FIRST_MARK] if _MARK.fullmatch(part) else Piece(part) for part in parts)


def _escaped(text: str) -> str:
    return re.sub(r'([\\"$`])', r"\\\1", text)


def _printf(arguments: tuple[Word, ...]) -> tuple[Piece, ...]:
    given = [word for word in arguments if word.literal != "--"]
    if not given:
        raise NotReadable("printf without a format")
    values = iter(given[1:])
    pieces = [made for piece in given[0].pieces for made in _formatted(piece, values)]
    if next(values, None) is not None:
        raise NotReadable("printf has more values than %s in its format")
    return tuple(pieces)


def _formatted(piece: Piece, values: Iterator[Word]) -> Iterator[Piece]:
    if piece.expands:
        yield piece
        return
    index = 0
    for found in _DIRECTIVE.finditer(piece.text):
        yield Piece(piece.text[index : found.start()])
        index = found.end()
        if found[1] in ("s", "b"):
            word = next(values, None)
            yield from word.pieces if word else ()
        elif found[1] or found[2]:
            yield Piece("%" if found[1] else _ESCAPES.get(found[2], found[2]))
        else:
            raise NotReadable(f"printf's {found.group()!r}, of which only %s is followed")
    yield Piece(piece.text[index:])


def _echo(arguments: tuple[Word, ...]) -> tuple[Piece, ...]:
    words, flags = list(arguments), ""
    while words and re.fullmatch(r"-[neE]+", words[0].literal or ""):
        flags += words.pop(0).raw
    pieces = [piece for word in words for piece in (Piece(" "), *word.pieces)][1:]
    return tuple(Piece(_unescaped(piece.text)) if "e" in flags and not piece.expands else piece for piece in pieces)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text)


_WRITERS = {"printf": _printf, "echo": _echo}


def _from_jq(statement: Statement, key: str) -> tuple[Image, ...]:
    words, given, program = list(statement.arguments), {}, None
    while words:
        word = words.pop(0)
        option = word.literal or ""
        if option in ("--arg", "--argjson") and len(words) > 1:
            variable, value = words.pop(0), words.pop(0)
            given[f"${variable.literal}"] = value.pieces
        elif not option.startswith("-") and program is None:
            program = word
    if program is None or program.literal is None:
        raise NotReadable("a jq program that the shell puts together")
    uri = re.search(_JQ_VALUE.format(key=key), program.literal)
    name = re.search(_JQ_VALUE.format(key="name"), program.literal)
    if not uri or program.literal.count(key) > 1:
        raise NotReadable(f'a jq program without one plain {key}: $name or {key}: "text"')
    return (Image(_jq_value(name[1], given) if name else (), _jq_value(uri[1], given)),)


def _jq_value(value: str, given: dict[str, tuple[Piece, ...]]) -> tuple[Piece, ...]:
    if value.startswith('"'):
        parts = [part for part in _JQ_HOLE.split(value[1:-1]) if part]
        return tuple(piece for part in parts for piece in _jq_part(part, given))
    if value.startswith(("$ENV.", "env.")):
        return (Piece(f"${value.partition('.')[2]}", expands=True, quoted=True),)
    return _jq_part(value, given)


def _jq_part(part: str, given: dict[str, tuple[Piece, ...]]) -> tuple[Piece, ...]:
    if not part.startswith("$"):
        return (Piece(part),)
    if part not in given:
        raise NotReadable(f"jq's {part}, which no --arg sets")
    return given[part]
