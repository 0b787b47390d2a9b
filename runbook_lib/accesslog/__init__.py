"""Access logs of an Application Load Balancer at any size: one question, three engines, the same numbers.

    logs = read_access_logs(source, Window(start, end))          # Histogram
    hurt = read_damage(source, Window(start, end), slow_ms=500)  # Damage

The source is a folder (LocalLogs), a bucket (BucketLogs), or what a load balancer writes (logs_of).  The engine is
DuckDB in this process unless another is given: Dask shares the files among processes or machines, Athena counts
where the logs lie.  The log has millisecond resolution, so counts by minute, target group and millisecond are an
exact histogram, and parts of it merge by addition.

What is not read is said: every answer has a `coverage` with the lines that were rejected (and samples of them), files
that are damaged, and intervals without a file.
"""

from runbook_lib.accesslog.asking import read_access_logs, read_damage
from runbook_lib.accesslog.bucket import BucketLogs, logs_of
from runbook_lib.accesslog.coverage import Coverage
from runbook_lib.accesslog.damage import Breakdown, Damage, Hurt
from runbook_lib.accesslog.duck import DuckDB
from runbook_lib.accesslog.files import LogFile, LogSource, NoAccessLog
from runbook_lib.accesslog.histogram import NO_GROUP, Histogram, Minute
from runbook_lib.accesslog.local import LocalLogs
from runbook_lib.accesslog.reading import Engine, Progress
from runbook_lib.accesslog.shelf import FileCount, Reject
from runbook_lib.accesslog.window import Window

__all__ = [
    "NO_GROUP",
    "Breakdown",
    "BucketLogs",
    "Coverage",
    "Damage",
    "DuckDB",
    "Engine",
    "FileCount",
    "Histogram",
    "Hurt",
    "LocalLogs",
    "LogFile",
    "LogSource",
    "Minute",
    "NoAccessLog",
    "Progress",
    "Reject",
    "Window",
    "logs_of",
    "read_access_logs",
    "read_damage",
]
