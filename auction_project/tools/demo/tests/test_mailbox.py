"""The demo's mailbox: what the house sends can be read there; outside of the demo it does not exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core import mail

from auction_project.tools.demo import mailbox, people

ROOT = Path(__file__).resolve().parents[4]
BACKEND = "auction_project.tools.demo.mailbox.EmailBackend"

# Asks the pages of a process whose settings are those of a demo, or not.
ASK = """
import sys
import django
django.setup()
from django.conf import settings
from django.core import mail
from django.test import Client
if "send" in sys.argv:
    message = mail.EmailMultiAlternatives("Verify <b>", "Go to http://house/verify?a=1&b=2 <now>", to=["anna@example.org"])
    message.attach_alternative('<p>Go to <a href="http://house/verify">this page</a></p>', "text/html")
    mail.get_connection("auction_project.tools.demo.mailbox.EmailBackend").send_messages([message])
from auction_project.tools.demo import mailbox
ids = [message.id for message in mailbox.list_mails("visitors", limit=5)]
for path in ("/demo/mail/", *(f"/demo/mail/{i}{end}" for i in ids for end in ("", "/html")), "/demo/mail/..", "/accounts/login/"):
    answer = Client(SERVER_NAME="localhost").get(path)
    print("###", path.replace(ids[0], "ID") if ids else path, answer.status_code, answer.headers.get("Content-Security-Policy"))
    print(answer.content.decode())
"""


def ask(tmp_path, *arguments, **environment):
    """Path -> (status, policy, page)."""
    # No database: the pages of these tests need none.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK, *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "auction_project.settings.test",
            "EMAIL_FILE_PATH": str(tmp_path),
            "PYTHONPATH": str(ROOT),
            **environment,
        },
        check=True,
        capture_output=True,
        text=True,
    )
    parts = re.split(r"^### (\S+) (\d+) (.*)$", done.stdout, flags=re.MULTILINE)[1:]
    return {
        path: (int(status), policy, page)
        for path, status, policy, page in zip(*(parts[i::4] for i in range(4)), strict=True)
    }


def test_a_message_is_listed_and_can_be_read_as_text_and_as_html(tmp_path):
    pages = ask(tmp_path, "send", GAVEL_DEMO="true")

    assert "Verify &lt;b&gt;" in pages["/demo/mail/"][2]
    _, policy, page = pages["/demo/mail/ID"]
    assert '<a href="http://house/verify?a=1&amp;b=2"' in page
    assert "&lt;now&gt;" in page
    assert "frame-src 'self'" in policy
    assert "script-src 'self';" in policy
    status, policy, page = pages["/demo/mail/ID/html"]
    assert (status, page.strip()) == (
        200,
        '<base target="_top"><p>Go to <a href="http://house/verify">this page</a></p>',
    )
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert pages["/demo/mail/.."][0] == 404


def test_the_login_page_of_the_demo_signs_in_with_one_click(tmp_path):
    _, _, page = ask(tmp_path, GAVEL_DEMO="true")["/accounts/login/"]

    assert re.findall(r'name="login" value="([^"]+)"', page) == [person.email for person in people.VISITORS]
    assert page.count(f'value="{people.PASSWORD}"') == len(people.VISITORS)


def test_outside_of_the_demo_neither_exists(tmp_path):
    pages = ask(tmp_path, "send", GAVEL_DEMO="false")

    assert [pages[path][0] for path in ("/demo/mail/", "/demo/mail/ID", "/demo/mail/ID/html")] == [404] * 3
    status, _, page = pages["/accounts/login/"]
    assert status == 200
    assert "gavel.example" not in page
    assert "/demo/" not in page


@pytest.fixture(name="box")
def visitors_box(settings, tmp_path):
    settings.EMAIL_BACKEND = BACKEND
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    return tmp_path / "mail" / "visitors"


def test_mail_to_the_crowd_does_not_bury_that_to_a_visitor(box):
    mail.send_mail("for Anna", "text", None, ["anna@example.org"])
    mail.send_mail("for a bot", "text", None, [f"bidder-1@{people.CROWD_DOMAIN}"])

    assert [message.subject for message in mailbox.list_mails("visitors", limit=9)] == ["for Anna"]
    assert [message.subject for message in mailbox.list_mails("crowd", limit=9)] == ["for a bot"]


def test_the_files_are_for_this_user_only(box):
    mail.send_mail("subject", "text", None, ["anna@example.org"])

    (file,) = box.iterdir()
    assert (file.stat().st_mode & 0o777, box.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_box_keeps_its_newest_messages(box, monkeypatch):
    monkeypatch.setattr(mailbox, "KEPT", 3)
    monkeypatch.setattr(mailbox, "TRIM_EVERY", 1)

    for number in range(6):
        mail.send_mail(f"{number}", "text", None, ["anna@example.org"])

    assert [message.subject for message in mailbox.list_mails("visitors", limit=9)] == ["5", "4", "3"]


@pytest.mark.parametrize("mail_id", ["..", "../crowd/x", "0" * 20, ""])
def test_an_id_that_cannot_be_is_not_looked_for(box, mail_id):
    assert mailbox.get_mail(mail_id) is None
