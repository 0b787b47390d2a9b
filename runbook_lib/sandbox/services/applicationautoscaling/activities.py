"""What was scaled, why, and how it ended.

Source: Application Auto Scaling user guide, application-auto-scaling-scaling-activities (the words of the examples).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import not_simulated
from runbook_lib.sandbox.services.applicationautoscaling import capacity
from runbook_lib.sandbox.services.applicationautoscaling.store import DIMENSION, Activity, check_namespace, page, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

LOOK_SECONDS = 10.0
FULFILLED = "Successfully set desired count to {count}. Change successfully fulfilled by ecs."
OVERTAKEN = "Setting desired count to {count} was overridden by a later change of the service."


def begin(world: World, resource: str, count: int, cause: str) -> None:
    """Set the count of a service, and follow it until it runs that many tasks."""
    capacity.write(world, resource, count)
    made = Activity(world.ids.uuid("scaling-activity"), resource, count, cause, world.now)
    store(world).activities[made.id] = made
    world.after(LOOK_SECONDS, "application-autoscaling.follow", made.id, background=True)


def follow(world: World, activity_id: str) -> None:
    """Handler application-autoscaling.follow: an activity ends with the service's arrival at its count."""
    activity = store(world).activities[activity_id]
    done = capacity.fulfilled(world, activity.resource, activity.wanted)
    if done is False:
        world.after(LOOK_SECONDS, "application-autoscaling.follow", activity_id, background=True)
        return
    status, words = ("Successful", FULFILLED) if done else ("Overridden", OVERTAKEN)
    ended = replace(activity, ended=world.now, status=status, message=words.format(count=activity.wanted))
    store(world).activities[activity_id] = ended


def describe(call: Call) -> dict[str, Any]:
    """DescribeScalingActivities, newest first."""
    check_namespace(call)
    if call.params.get("IncludeNotScaledActivities"):
        raise not_simulated("application-autoscaling: IncludeNotScaledActivities of DescribeScalingActivities")
    wanted = call.params.get("ResourceId")
    found = [one for one in reversed(store(call.world).activities.values()) if wanted in (None, one.resource)]
    return page(call, "ScalingActivities", (_shown(call.world, one) for one in found))


def _shown(world: World, activity: Activity) -> dict[str, Any]:
    ended = {} if activity.ended is None else {"EndTime": world.datetime(activity.ended)}
    return {
        "ActivityId": activity.id,
        "ServiceNamespace": "ecs",
        "ResourceId": activity.resource,
        "ScalableDimension": DIMENSION,
        "Description": f"Setting desired count to {activity.wanted}.",
        "Cause": activity.cause,
        "StartTime": world.datetime(activity.started),
        "StatusCode": activity.status,
        **({"StatusMessage": activity.message} if activity.message else {}),
        **ended,
    }


OPERATIONS = {"DescribeScalingActivities": describe}
