"""Kubernetes: a CronJob a task, and the claim for the home. YAML by hand: strings as JSON has them, which YAML reads.

A pod is not told which instant it was started for, so the program looks itself for what is due: nothing is lost when
Kubernetes leaves out a start, and nothing doubled when it starts twice, as it says it may.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ..core.text import safe
from .calls import timed
from .five_fields import KUBERNETES, fields_of, zone_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.cron import Schedule
    from .calls import Call, Outline

HOME = "/data"
FILE = "/app/agent_os.pyz"
IMAGE = "registry.example/agent-os:latest"
_LONGEST_NAME = 52  # of a CronJob
_MOST_MISSED = 50  # beyond 100 missed starts within the deadline Kubernetes gives up for good
_DAY_SECONDS = 86_400
_SOME_INSTANT = datetime(2026, 1, 1, tzinfo=timezone.utc)

_CLAIM = """\
# The home: database, log and settings. SQLite wants one node at a time, and no network file system.
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: agent-os-home
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 1Gi
"""
_CRON_JOB = """\
# {said}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: agent-os
spec:
  schedule: {schedule}
  timeZone: {zone}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: {deadline}
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      # The program tries again by itself; this is for a node that died (and for exit 4: busy).
      backoffLimit: 2
      podFailurePolicy:
        rules:
          # 2: wrong command line, 3: not set up. Another try would end alike.
          - action: FailJob
            onExitCodes:
              containerName: agent-os
              operator: In
              values: [2, 3]
      template:
        metadata:
          labels:
            app.kubernetes.io/name: agent-os
        spec:
          restartPolicy: Never
          terminationGracePeriodSeconds: 60
          containers:
            - name: agent-os
              # Any image with a Python (3.9 or newer) and the file in it.
              image: {image}
              command: {command}
              # Keys and settings, as OPENAI_ADMIN_KEY: kubectl create secret generic agent-os --from-env-file=.env
              envFrom:
                - secretRef:
                    name: agent-os
                    optional: true
              volumeMounts:
                - name: home
                  mountPath: {home}
          volumes:
            - name: home
              persistentVolumeClaim:
                claimName: agent-os-home
"""


def manifest_of(outlines: Sequence[Outline], call: Call, *, image: str = "") -> str:
    """The claim and a CronJob for each task, as one file. Raises ValueError with a sentence."""
    names = [_name(outline.task) for outline in outlines]
    for outline, name in zip(outlines, names):
        if names.count(name) > 1:
            raise ValueError(f"two of these tasks would be the CronJob {name}, one of them {outline.task}: rename one")
    jobs = [_cron_job(outline, call, name=name, image=image or IMAGE) for outline, name in zip(outlines, names)]
    return "---\n".join([_CLAIM, *jobs])


def _cron_job(outline: Outline, call: Call, *, name: str, image: str) -> str:
    schedule = timed(outline)
    zone = zone_of(schedule, KUBERNETES)
    return _CRON_JOB.format(
        said=safe(f"{outline.task}: {outline.doc}" if outline.doc else outline.task),
        name=_text(name),
        schedule=_text(fields_of(schedule, KUBERNETES)),
        zone=_text("Etc/UTC" if zone == "UTC" else zone),
        deadline=_deadline(outline, schedule),
        image=_text(image),
        command=_text(call.words(outline.task)),
        home=_text(call.home),
    )


def _deadline(outline: Outline, schedule: Schedule) -> int:
    """For how many seconds a start that was missed is made up for, and never for more starts than Kubernetes bears."""
    moments, moment = [], _SOME_INSTANT
    for _ in range(12):
        moment = schedule.next(moment)
        moments.append(moment)
    shortest = min((later - earlier).total_seconds() for earlier, later in zip(moments, moments[1:]))
    longest = 3600 if outline.catch_up == "none" else _DAY_SECONDS
    return int(min(longest, shortest * _MOST_MISSED))


def _name(task: str) -> str:
    """`agent-os-nightly-report`: small letters, digits and hyphens."""
    text = "".join(letter if letter.isalnum() else "-" for letter in f"agent-os-{task}".lower())
    return text[:_LONGEST_NAME].strip("-")


def _text(value: object) -> str:
    """A value of YAML. As it is, since JSON's escapes of what is beyond 16 bits are two letters to YAML."""
    return json.dumps(value, ensure_ascii=False)
