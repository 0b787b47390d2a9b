"""The AWS CLI, with every request that it sends written into the file that $COUNTED names."""

from __future__ import annotations

import os
import sys
from typing import Any

import awscli.clidriver
from botocore.httpsession import URLLib3Session

send = URLLib3Session.send


def counted(self: URLLib3Session, request: Any) -> Any:
    """As ever, with a line for it."""
    with open(os.environ["COUNTED"], "a", encoding="utf-8") as file:
        file.write(f"{request.headers.get('X-Amz-Target', request.url)}\n")
    return send(self, request)


URLLib3Session.send = counted
sys.exit(awscli.clidriver.main())
