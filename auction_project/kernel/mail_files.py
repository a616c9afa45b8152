"""Mails as files on a developer's machine. Only the user of this process may read them, because they hold links that
sign a user in.
"""

import contextlib
import os
from typing import Any

from django.core.mail.backends import filebased

DIRECTORY_MODE, FILE_MODE = 0o700, 0o600


class EmailBackend(filebased.EmailBackend):
    stream: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        with contextlib.suppress(PermissionError):  # another user's directory keeps that user's mode
            os.chmod(self.file_path, DIRECTORY_MODE)

    def open(self) -> bool:
        if self.stream is not None:
            return False
        descriptor = os.open(self._get_filename(), os.O_WRONLY | os.O_APPEND | os.O_CREAT, FILE_MODE)
        self.stream = os.fdopen(descriptor, "ab")
        return True
