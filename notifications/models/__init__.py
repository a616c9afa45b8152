"""The tables of the database "notifications": feeds, the e-mails about them, and what notifications know of others."""

from notifications.models.accounts import Account, EndedSession
from notifications.models.appending import Appended, Request, append
from notifications.models.auctions import Auction
from notifications.models.emails import TRANSITIONS, Change, Email, EmailState
from notifications.models.feeds import Feed, Notification
from notifications.models.inbox import Once

__all__ = [
    "DATABASE",
    "TRANSITIONS",
    "Account",
    "Appended",
    "Auction",
    "Change",
    "Email",
    "EmailState",
    "EndedSession",
    "Feed",
    "Notification",
    "Once",
    "Request",
    "append",
]

DATABASE = "notifications"
