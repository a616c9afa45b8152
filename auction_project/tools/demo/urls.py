"""Where the demo's own pages are, below /demo/."""

from django.urls import path
from django.views.decorators.cache import never_cache

from auction_project.tools.demo import web

urlpatterns = [
    path("mail/", never_cache(web.Mails.as_view()), name="demo-mails"),
    path("mail/<str:mail_id>", never_cache(web.Mail.as_view()), name="demo-mail"),
    path("mail/<str:mail_id>/html", web.html, name="demo-mail-html"),
]
