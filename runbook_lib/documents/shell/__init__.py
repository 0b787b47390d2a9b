"""Reading shell commands as far as a buildspec's edits need it: words, statements, redirections, variables."""

from runbook_lib.documents.shell.grammar import Unread
from runbook_lib.documents.shell.statements import Redirect, Script, Statement, read_script
from runbook_lib.documents.shell.values import Hole, Part, Scope, text_of, used_by
from runbook_lib.documents.shell.words import Piece, Word

__all__ = [
    "Hole",
    "Part",
    "Piece",
    "Redirect",
    "Scope",
    "Script",
    "Statement",
    "Unread",
    "Word",
    "read_script",
    "text_of",
    "used_by",
]
