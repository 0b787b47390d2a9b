"""What is hidden: secrets from everybody, and from a report account numbers, addresses of clients and people's names.

What was read from outside goes through `without_secrets` as a whole, once: neither a notebook's table nor what is kept
of a look holds a secret in one of its usual forms.  Lines of the application's log are cleaned before that, by
`log_line`, for they are cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, TypeVar

from runbook_lib.journal import HIDDEN
from runbook_lib.table import Table

# Access keys (IAM user guide, reference_identifiers: AKIA and ASIA), bearer tokens, GitHub's tokens and JSON web tokens
# (RFC 7519) by their forms, values behind names and options that hold a telling word, and passwords in addresses.
TELLING = r"(?:secret(?!smanager)|passw|token|credential|api[-_]?key)[\w-]*"
SECRETS = (
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"),
    re.compile(r"(?i)\b(?:bearer|basic)\s+[a-z0-9._~+/=-]{8,}"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{16,}\b"),
    re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"),
    re.compile(rf"(?i)({TELLING}[\"']?\s*[=:]\s*)(?:\"[^\"]*\"?|'[^']*'?|[^\s,;\"']+)"),
    re.compile(rf"(?i)(--?[\w-]*{TELLING}\s+)\S+"),
    re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://)[^/\s:@]+:[^/\s@]+@"),
)
ACCOUNT = re.compile(r"(?<![0-9a-f])\d{12}(?![0-9a-f])")
MAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
# Behind a word and a slash it is the version of a program.
ADDRESS = re.compile(r"(?<![A-Za-z0-9]/)(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}\b(?!\.\d)")
# What may be an address of IPv6, with its port behind it as access logs write it; ip_address has the last word.
LONG_ADDRESS = re.compile(r"(?<![\w:.])[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?::\d{1,5}|\d)?(?![\w:])")
QUERY = re.compile(r"\?[^\s\"'?]*")


Whole = TypeVar("Whole")


@lru_cache(maxsize=4096)
def secrets(text: str) -> str:
    """A text without secrets in their usual forms."""
    for pattern in SECRETS:
        text = pattern.sub(lambda found: f"{found.group(1) if found.lastindex else ''}{HIDDEN}", text)
    return text


def without_secrets(value: Whole) -> Whole:
    """The same facts with the secrets in every text of theirs hidden; names and addresses stay."""
    return _cleaned(value)  # type: ignore[no-any-return]


def log_line(text: str) -> str:
    """A line that an application wrote: what its users sent stands in it, so that their addresses are hidden, too."""
    text = ADDRESS.sub(HIDDEN, MAIL.sub(HIDDEN, secrets(text)))
    return LONG_ADDRESS.sub(
        lambda found: HIDDEN if any(map(_is_address, _addresses(found.group()))) else found[0], text
    )


@dataclass
class Redactor:
    """Hides what a report must not carry; the same person or address is the same word throughout."""

    people: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)

    def know(self, names: Iterable[str]) -> Redactor:
        """The names of people that are to be hidden; those of services are not."""
        for name in names:
            if name and not name.startswith(("AWS", "aws")) and "amazonaws.com" not in name:
                self.people.setdefault(name, f"person-{len(self.people) + 1}")
        return self

    def text(self, text: str) -> str:
        """A text without what is to be hidden."""
        text = MAIL.sub(lambda found: self._person(found.group()), secrets(text))
        for name, word in sorted(self.people.items(), key=lambda one: -len(one[0])):
            text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", word, text)
        text = ACCOUNT.sub("account", text)
        text = ADDRESS.sub(lambda found: self._address(found.group()), text)
        return LONG_ADDRESS.sub(lambda found: self._long_address(found.group()), text)

    def line(self, text: str) -> str:
        """A line of an access log: what a client sent behind a question mark may be anything: all of it is hidden."""
        return self.text(QUERY.sub(f"?{HIDDEN}", text))

    def table(self, found: Table) -> Table:
        """A table without what is to be hidden; an address that holds such is left out."""
        rows = tuple(tuple(self.text(cell) for cell in row) for row in found.rows)
        links = {cell: link for cell, link in found.links.items() if self.text(link) == link}
        return Table(self.text(found.title), found.headings, rows, links)

    def _person(self, name: str) -> str:
        return self.people.setdefault(name, f"person-{len(self.people) + 1}")

    def _long_address(self, text: str) -> str:
        known = next((one for one in _addresses(text) if _is_address(one)), None)
        return text if known is None else f"{self._address(known)}{text.removeprefix(known)}"

    def _address(self, address: str) -> str:
        return self.addresses.setdefault(address, f"address-{len(self.addresses) + 1}")


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return secrets(value)
    if isinstance(value, tuple | list):
        return type(value)(map(_cleaned, value))
    if isinstance(value, Mapping):
        return {key: _cleaned(inner) for key, inner in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        told = {one.name: getattr(value, one.name) for one in fields(value) if one.init}
        new = {name: _cleaned(inner) for name, inner in told.items()}
        return replace(value, **new) if new != told else value
    return value


def _addresses(text: str) -> tuple[str, str]:
    """What may be an address in a text: all of it, or all but a port behind it."""
    return text, text.rpartition(":")[0]


def _is_address(text: str) -> bool:
    try:
        return ip_address(text).version == 6 and any(letter != ":" for letter in text)
    except ValueError:
        return False
