"""Reading shell commands as far as a buildspec's edits need it: words, statements, redirections, variables.

Grammar: POSIX, "Shell Command Language" (IEEE Std 1003.1, XCU chapter 2), with bash's `$'...'`, `[[ ]]`, `<<<`, `&>`.
"""

from runbook_lib.documents.shell.statements import Redirect, Statement, read_statements
from runbook_lib.documents.shell.values import Hole, Part, Scope, text_of, used_by
from runbook_lib.documents.shell.words import Piece, ShellError, Word

__all__ = [
    "Hole",
    "Part",
    "Piece",
    "Redirect",
    "Scope",
    "ShellError",
    "Statement",
    "Word",
    "read_statements",
    "text_of",
    "used_by",
]
