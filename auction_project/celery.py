"""The Celery application: one queue per app that a saga calls, one for the sweep, one for e-mail; JSON only.

A chain is a courier and may be lost, doubled or late: correctness rests on the sagas' rows and on `once`. So messages
are acknowledged late and redelivered soon; results are never stored.
"""

import os

from celery import Celery
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auction_project.settings.base")

QUEUES = ("inventory", "orders", "sweep", "email")

app = Celery("gavel")
app.conf.update(
    task_queues=[Queue(name) for name in QUEUES],
    task_default_queue="sweep",
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    task_acks_late=True,
    task_track_started=False,
    task_publish_retry=False,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "visibility_timeout": 60,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "socket_timeout": 10,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
    },
    timezone="UTC",
    enable_utc=True,
)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
