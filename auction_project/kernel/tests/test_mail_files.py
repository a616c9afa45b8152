"""Mails in files are for the user of the process alone."""

from pathlib import Path

from django.core import mail

from auction_project.kernel import mail_files


def test_mails_and_their_directory_are_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    folder.mkdir(mode=0o755)

    with mail_files.EmailBackend(file_path=str(folder)) as backend:
        sent = backend.send_messages([mail.EmailMessage("Hello", "link", "a@example.org", ["b@example.org"])])

    (file,) = folder.iterdir()
    assert (sent, b"Subject: Hello" in file.read_bytes()) == (1, True)
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
