"""One request as a load balancer saw it: what metrics and access logs are made from, modelled or real."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """A request and what came of it; times are epoch seconds of the world, durations seconds of the network.

    Source: ELB user guide, load-balancer-access-logs, whose fields these are.
    """

    listener: str  # ARN
    rule_priority: int  # 0: the default rule, -1: it failed before a rule was found
    group: str | None  # ARN of the target group; None when no group was chosen
    target: str | None  # "ip:port" as registered in the group; None when none was reached
    client: str  # "ip:port"
    kind: str  # http, https, h2, ws ...
    method: str
    url: str  # as the client asked: http://host:port/path?query
    protocol: str  # HTTP/1.1
    user_agent: str
    began: float
    ended: float
    request_processing: float | None  # None: not dispatched to a target
    target_processing: float | None  # None: the target did not begin to answer
    response_processing: float | None
    status: int  # what the client got
    target_status: int | None  # what the target answered; None: it did not
    received_bytes: int
    sent_bytes: int
    trace: str  # the value of X-Amzn-Trace-Id
