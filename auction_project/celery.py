"""The Celery application: one queue per app that a saga calls, one for the sweep, one for e-mail; JSON only.

A chain may be lost, doubled or late: correctness rests on the sagas' rows and on `once`, not on chains. Messages are
acknowledged late and delivered again soon; results are never stored. What worker and beat do besides tasks is in
`processes/celery_hooks.py`, and what beat sends in `processes/celery_schedule.py`.
"""

import gc
import os

from celery import Celery
from kombu import Exchange, Queue

from auction_project import NEW_OBJECTS
from auction_project.processes import celery_hooks, celery_schedule, celery_transport, roles

gc.set_threshold(NEW_OBJECTS)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auction_project.settings.base")

# As for every role (running.RoleCommand): without Django's system checks, a worker that died is back sooner.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

celery_transport.install(roles.QUEUES)
app = Celery("gavel", amqp=celery_transport.AMQP)
app.conf.update(
    task_queues=[Queue(name, Exchange("gavel", type="direct"), routing_key=name) for name in roles.QUEUES],
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
    beat_scheduler=celery_hooks.SCHEDULER,
    beat_schedule=celery_schedule.SCHEDULE,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "queue_order_strategy": "priority",
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
app.set_default()  # in all threads: consumers send chains from threads of their own
celery_hooks.install(app)
