"""What a postal address must have: one cleaned text for each field, and a country of ISO 3166. Pure.

Texts are normalised (NFC), and cleaned as `kernel.texts` says.
"""

import re
import unicodedata
from collections.abc import Mapping

import msgspec

from auction_project.kernel import texts
from orders import exceptions

_CODES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA "
    "CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA "
    "GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP "
    "KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS "
    "MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS "
    "RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW "
    "TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
COUNTRIES = frozenset(_CODES.split())  # ISO 3166-1 alpha-2
_CODES_WITH_POSTAL_CODES = (
    "AT AU BE BG BR CA CH CN CY CZ DE DK EE ES FI FR GB GR HR HU IL IN IT JP KR LT LU LV MT MX NL NO NZ PL PT RO SE SG SI "
    "SK TR UA US ZA"
)
# Where every address has a postal code. Elsewhere it may be empty.
_WITH_POSTAL_CODES = frozenset(_CODES_WITH_POSTAL_CODES.split())
MAX_CHARACTERS: Mapping[str, int] = {
    "name": 100,
    "line1": 120,
    "line2": 120,
    "postal_code": 16,
    "city": 80,
    "country": 2,
    "phone": 30,
}
_MAY_BE_EMPTY = frozenset({"line2", "postal_code", "phone"})
_PHONE = re.compile(r"\+?[0-9][0-9 ()/.-]*")


class Postal(msgspec.Struct, frozen=True, kw_only=True):
    """A whole address, as it is stored beside a checkout or a shipment."""

    name: str
    line1: str
    line2: str = ""
    postal_code: str = ""
    city: str
    country: str
    phone: str = ""


def checked(fields: Mapping[str, str]) -> Postal:
    """The cleaned address. Raises InvalidAddress, which names the field and the rule."""
    cleaned = {name: _cleaned(name, fields.get(name, "")) for name in MAX_CHARACTERS}
    cleaned["country"] = cleaned["country"].upper()
    if cleaned["country"] not in COUNTRIES:
        raise exceptions.InvalidAddress(
            "A country is an ISO 3166 code of two letters, such as DE.", field="country"
        )
    if cleaned["country"] in _WITH_POSTAL_CODES and not cleaned["postal_code"]:
        raise exceptions.InvalidAddress(
            f"An address in {cleaned['country']} needs a postal code.", field="postal_code"
        )
    if cleaned["phone"] and not _PHONE.fullmatch(cleaned["phone"]):
        raise exceptions.InvalidAddress(
            "A telephone number has digits, spaces and + ( ) / . - only.", field="phone"
        )
    return Postal(**cleaned)


def _cleaned(name: str, text: str) -> str:
    cleaned = texts.line(unicodedata.normalize("NFC", text))
    limit = MAX_CHARACTERS[name]
    if len(cleaned) > limit:
        raise exceptions.InvalidAddress(f"This has at most {limit} characters.", field=name, most=limit)
    if name not in _MAY_BE_EMPTY and not any(unicodedata.category(one)[0] in "LN" for one in cleaned):
        raise exceptions.InvalidAddress("This needs at least one letter or digit.", field=name)
    return cleaned
