"""What a report must not carry: secrets, account numbers, addresses of clients, and people's names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

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
        for pattern in SECRETS:
            text = pattern.sub(lambda found: f"{found.group(1) if found.lastindex else ''}{HIDDEN}", text)
        text = MAIL.sub(lambda found: self._person(found.group()), text)
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
        address, _, port = text.rpartition(":")
        for known, rest in ((text, ""), (address, f":{port}")):
            if _is_address(known):
                return f"{self._address(known)}{rest}"
        return text

    def _address(self, address: str) -> str:
        return self.addresses.setdefault(address, f"address-{len(self.addresses) + 1}")


def _is_address(text: str) -> bool:
    try:
        return ip_address(text).version == 6 and any(letter != ":" for letter in text)
    except ValueError:
        return False
