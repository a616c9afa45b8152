"""Passwords that are refused. The list is Django's: the 20,000 passwords that are most frequent in breaches (Royce
Williams's selection of Have I Been Pwned). A service on the internet knows more, but this list works offline.
"""

import string

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError

MAX_PADDING_CHARACTERS = 6  # "password2026!" is "password"; sixteen digits behind a word are worth something
_PADDING = string.digits + string.punctuation + string.whitespace
_LOOKALIKES = str.maketrans("013457@$!", "oleastasi")


class BreachedPasswordValidator(password_validation.CommonPasswordValidator):
    """Refuses a password of the list, also when it is repeated, in capitals, has digits for letters, or has a few
    digits and signs around it.
    """

    def validate(self, password: str, user: object = None) -> None:
        if any(form in self.passwords for form in _forms(password.lower())):
            raise ValidationError(
                "This password is in lists of stolen passwords. Choose another one.", code="password_breached"
            )

    def get_help_text(self) -> str:
        return "It can't be a password that is known from a data breach, nor a variation of one."


def _forms(text: str) -> set[str]:
    """`text` as it is, and the simpler texts that it is made of."""
    bare = text.strip(_PADDING)
    forms = {text, _unit(text), text.translate(_LOOKALIKES)}
    if bare and len(text) - len(bare) <= MAX_PADDING_CHARACTERS:
        forms |= {bare, _unit(bare), bare.translate(_LOOKALIKES)}
    return forms


def _unit(text: str) -> str:
    """The shortest text whose repetition is `text`."""
    return text[: (text + text).find(text, 1)] if text else text
