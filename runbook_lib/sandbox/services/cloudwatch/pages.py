"""Pages of a list, and the tokens that lead from one to the next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from runbook_lib.sandbox.errors import AwsError

TOKEN = re.compile(r"page/(\d+)")


def page(
    name: str, items: Sequence[Any], size: int, token: str | None, *, code: str = "InvalidNextToken"
) -> dict[str, Any]:
    """The items from where a token points, and the token of the next page when there is one."""
    found = TOKEN.fullmatch(token or "page/0")
    if found is None:
        raise AwsError(code, "The next token specified is invalid.")
    begin = int(found[1])
    more = {"NextToken": f"page/{begin + size}"} if begin + size < len(items) else {}
    return {name: list(items[begin : begin + size]), **more}
