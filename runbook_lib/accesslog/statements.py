"""The questions that are asked of an access log, in SQL that DuckDB and Athena answer alike.

Both see a log as a table of lines.  A line is taken apart at its quotes: Elastic Load Balancing writes a quote inside a
field as \\x22, so a line has 12 quoted fields (24 quotes) up to its 29th field and plain text between them, and what
comes behind (30th field and later, new ones too) is not looked at.  A raw quote would shift every field behind it;
then what stands between two quoted fields is not a single space, and the line is rejected, counted and shown.

Fields: 1 type, 2 time, 4 client, 5 target, 7 target_processing_time, 9 elb_status_code, 10 target_status_code,
13 "request", 14 "user_agent", 17 target_group_arn, 21 rule priority, 34 address of the node
(ELB user guide, load-balancer-access-logs).
"""

from __future__ import annotations

from dataclasses import dataclass

QUOTED = 25  # pieces of a line with its 24 quotes
# Pieces that must be a single space.  With an odd number of pieces and the fifth as it must be, these tell every shift
# that could move a field which is counted: a raw quote in the request or the user agent moves the fifth, one in a
# field behind it the next single space.  More of them would cost a tenth of the whole time.
BETWEEN = (3, 7, 9, 23)
HEAD = 13  # pieces of "type ... sent_bytes ", the last of them empty in a good line
MINUTE = (
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:$"  # with the colon behind it
)
STATUS = "^(-|[0-9]{3})$"  # an HTTP/2 connection that failed has 000
TOOK = "^(-1([.]0+)?|[0-9]{1,6}([.][0-9]{1,9})?)$"
FORWARDED = "^ [^ ]+ [^ ]+ (-|arn:[^ ]+) $"
BEGUN = "^[a-z0-9]+ [0-9]{4}-[0-9]{2}-"  # how a line begins, however short it was cut
REASONS = {
    "truncated": "the line ends before its 29th field",
    "shifted": "a raw quote inside a field moves the fields behind it",
    "corrupt": "the line is not one of an access log",
}
SAMPLE = 500  # characters of a rejected line that are shown
DIMENSIONS = ("path", "client", "status", "target", "node", "user_agent")
ROWS = 20_000  # rows a file and dimension that are kept apart; the rest is summed up by minute and group


@dataclass(frozen=True)
class Dialect:
    """What the two engines call the same things."""

    split: str
    size: str
    like: str
    octets: str  # bytes of a line with its end; Athena's answer is not checked by them
    element: str

    def part(self, array: str, number: int) -> str:
        """The element of an array, counted from one; NULL where there is none."""
        return self.element.format(array=array, number=number)


DUCKDB = Dialect("string_split", "len", "regexp_matches", "strlen(line) + 1", "{array}[{number}]")
ATHENA = Dialect("split", "cardinality", "regexp_like", "0", "element_at({array}, {number})")


TEXTS = ("minute", "grp", "dimension", "value")  # of the keys; the others are whole numbers


@dataclass(frozen=True)
class Question:
    """What is counted; `name` changes whenever its answers would: cached answers bear it.

    The answer's rows have `keys` and `sums`, which merge by addition.
    """

    name: str
    keys: tuple[str, ...]
    sums: tuple[str, ...]
    slow_ms: int | None = None  # None: no breakdown by dimensions is asked for

    @property
    def each(self) -> str:
        """Which rows of an answer hold every line once, in SQL."""
        return "true" if self.slow_ms is None else "dimension = 'reason'"

    @property
    def good(self) -> str:
        """Which of those hold the lines that were counted, in SQL."""
        return "minute IS NOT NULL" if self.slow_ms is None else "value = ''"

    def sql(self, lines: str, dialect: Dialect, *, file: str = "''") -> str:
        """The statement over a table or query of lines; `file` is what tells files apart."""
        if self.slow_ms is None:
            return _histogram(lines, dialect)
        return _damage(lines, dialect, file=file, slow_ms=self.slow_ms)


# Requests by minute, target group, both status codes and milliseconds of the target: an exact histogram.
HISTOGRAM = Question("histogram-1", ("minute", "grp", "status", "answered", "ms"), ("n",))


def damage(slow_ms: int) -> Question:
    """Requests, those that failed, and those that a target answered later than that, by what they have in common."""
    name = f"damage-1-{slow_ms}-{ROWS}"
    return Question(
        name, ("minute", "grp", "dimension", "value"), ("n", "elb_5xx", "target_5xx", "slow", "folded"), slow_ms
    )


def _histogram(lines: str, d: Dialect) -> str:
    """Counts first and judges afterwards, so that patterns are tried once a group and not once a line."""
    return f"""
WITH parts AS (SELECT line, {d.split}(line, '"') AS q FROM {lines} WHERE line <> ''),
heads AS (
  SELECT line, {d.split}({d.part("q", 1)}, ' ') AS h, {d.part("q", 5)} AS forwarded, {_whole(d)} AS whole FROM parts
),
counted AS (
  SELECT substr({d.part("h", 2)}, 1, 17) AS minute, forwarded, {d.part("h", 7)} AS took, {d.part("h", 9)} AS status,
    {d.part("h", 10)} AS answered, whole AND {_head(d)} AS whole, count(*) AS n, sum({d.octets}) AS octets
  FROM heads GROUP BY 1, 2, 3, 4, 5, 6
),
judged AS (SELECT *, coalesce(whole AND {_good(d)}, FALSE) AS good FROM counted)
SELECT CASE WHEN good THEN substr(minute, 1, 16) END AS minute, CASE WHEN good THEN {_group(d)} END AS grp,
  CASE WHEN good THEN {_code("status")} END AS status, CASE WHEN good THEN {_code("answered")} END AS answered,
  CASE WHEN good THEN {_ms()} END AS ms, CAST(sum(n) AS BIGINT) AS n, CAST(sum(octets) AS BIGINT) AS octets
FROM judged GROUP BY 1, 2, 3, 4, 5
"""


def rejects(lines: str, d: Dialect, *, file: str = "''") -> str:
    """Why lines were rejected: file, reason, how many, and the first of them in the order of the alphabet."""
    return f"""
WITH {_lines(lines, d, file=file)}
SELECT file, reason, count(*) AS n, min(substr(line, 1, {SAMPLE})) AS sample
FROM lines WHERE reason <> '' GROUP BY 1, 2
"""


def _damage(lines: str, d: Dialect, *, file: str, slow_ms: int) -> str:
    """One pass for all dimensions; rejected lines are counted as the dimension `reason`, as are the good ones ('')."""
    grouping = " ".join(f"WHEN grouping({name}) = 0 THEN '{name}'" for name in DIMENSIONS)
    sets = ", ".join(f"(file, minute, grp, {name})" for name in DIMENSIONS)
    return f"""
WITH {_lines(lines, d, file=file)},
facts AS (
  SELECT file, reason, minute, grp, octets, {_dimensions(d)},
    CASE WHEN status >= 500 AND answered < 500 THEN 1 ELSE 0 END AS elb_5xx,
    CASE WHEN answered >= 500 THEN 1 ELSE 0 END AS target_5xx,
    CASE WHEN ms > {slow_ms} THEN 1 ELSE 0 END AS slow
  FROM (SELECT *, {d.split}({d.part("q", 2)}, ' ') AS request FROM lines)
),
counted AS (
  SELECT file, minute, grp, CASE WHEN grouping(reason) = 0 THEN 'reason' {grouping} END AS dimension,
    coalesce(reason, {", ".join(f"{name}" for name in DIMENSIONS)}) AS value, count(*) AS n, sum(elb_5xx) AS elb_5xx,
    sum(target_5xx) AS target_5xx, sum(slow) AS slow, sum(octets) AS octets
  FROM facts GROUP BY GROUPING SETS ((file, reason), {sets})
),
ranked AS (
  SELECT *, row_number() OVER (PARTITION BY file, dimension
    ORDER BY elb_5xx + target_5xx DESC, slow DESC, n DESC, value, minute, grp) AS place
  FROM counted WHERE dimension = 'reason' OR minute IS NOT NULL
)
SELECT minute, grp, dimension, CASE WHEN place <= {ROWS} THEN value END AS value, CAST(sum(n) AS BIGINT) AS n,
  CAST(sum(elb_5xx) AS BIGINT) AS elb_5xx, CAST(sum(target_5xx) AS BIGINT) AS target_5xx,
  CAST(sum(slow) AS BIGINT) AS slow, CAST(sum(CASE WHEN place <= {ROWS} THEN 0 ELSE 1 END) AS BIGINT) AS folded,
  CAST(sum(octets) AS BIGINT) AS octets
FROM ranked GROUP BY 1, 2, 3, 4
"""


def _lines(lines: str, d: Dialect, *, file: str) -> str:
    """Every line with its parts and the reason why it is rejected, '' for a good one."""
    return f"""
parts AS (SELECT {file} AS file, line, {d.split}(line, '"') AS q FROM {lines} WHERE line <> ''),
heads AS (
  SELECT file, line, q, {d.split}({d.part("q", 1)}, ' ') AS h, {d.part("q", 5)} AS forwarded, {_whole(d)} AS apart
  FROM parts
),
cut AS (
  SELECT *, substr({d.part("h", 2)}, 1, 17) AS minute, {d.part("h", 7)} AS took, {d.part("h", 9)} AS status,
    {d.part("h", 10)} AS answered, {_head(d)} AS headed FROM heads
),
reasoned AS (
  SELECT *, CASE WHEN coalesce(apart AND headed AND {_good(d)}, FALSE) THEN ''
    WHEN NOT {d.like}(line, '{BEGUN}') THEN 'corrupt'
    WHEN {d.size}(q) < {QUOTED} THEN 'truncated'
    WHEN NOT coalesce(apart, FALSE) THEN 'shifted' ELSE 'corrupt' END AS reason FROM cut
),
lines AS (
  SELECT file, line, q, h, reason, {d.octets} AS octets, CASE WHEN reason = '' THEN substr(minute, 1, 16) END AS minute,
    CASE WHEN reason = '' THEN {_group(d)} END AS grp, CASE WHEN reason = '' THEN {_code("status")} END AS status,
    CASE WHEN reason = '' THEN {_code("answered")} END AS answered, CASE WHEN reason = '' THEN {_ms()} END AS ms
  FROM reasoned
)"""


def _whole(d: Dialect) -> str:
    """Whether what stands between the quoted fields is what belongs there."""
    spaces = " AND ".join(f"{d.part('q', number)} = ' '" for number in BETWEEN)
    return f"({d.size}(q) >= {QUOTED} AND {d.size}(q) % 2 = 1 AND {spaces})"


def _head(d: Dialect) -> str:
    """Whether the plain fields before the request are as many as they must be."""
    return f"{d.size}(h) = {HEAD}"


def _good(d: Dialect) -> str:
    """Whether minute, target group, status codes and duration are such."""
    patterns = ((MINUTE, "minute"), (FORWARDED, "forwarded"), (TOOK, "took"), (STATUS, "status"), (STATUS, "answered"))
    likes = " AND ".join(f"{d.like}({column}, '{pattern}')" for pattern, column in patterns)
    return f"({likes} AND TRY_CAST(substr(minute, 1, 10) AS DATE) IS NOT NULL)"


def _group(d: Dialect) -> str:
    return d.part(f"{d.split}(forwarded, ' ')", 4)


def _code(column: str) -> str:
    return f"CASE WHEN {column} = '-' THEN 0 ELSE CAST({column} AS INTEGER) END"


def _ms() -> str:
    """Milliseconds; -1 where no target answered."""
    return "CASE WHEN took LIKE '-%' THEN -1 ELSE CAST(round(CAST(took AS DOUBLE) * 1000) AS INTEGER) END"


def _dimensions(d: Dialect) -> str:
    """The path without its query, the client without its port, both status codes, target, node and user agent."""
    path = f"regexp_extract({d.part('request', 2)}, '^[a-z]+://[^/?]*([^?]*)', 1)"
    node = d.part(f"{d.split}({d.part('q', 31)}, ' ')", 2)
    answered = "CASE WHEN answered = 0 THEN '-' ELSE CAST(answered AS VARCHAR) END"
    values = {
        "path": path,
        "client": f"regexp_replace({d.part('h', 4)}, ':[0-9]+$', '')",
        "status": f"concat(CAST(status AS VARCHAR), '/', {answered})",
        "target": d.part("h", 5),
        "node": node,
        "user_agent": d.part("q", 4),
    }
    return ", ".join(f"coalesce(nullif({value}, ''), '-') AS {name}" for name, value in values.items())
