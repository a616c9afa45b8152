"""How the admin and the mails write dates: the long style of the pages (`pages.template_tags.instant`), with the time zone."""

DATE_FORMAT = SHORT_DATE_FORMAT = "j F Y"
TIME_FORMAT = "H:i e"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "j F Y, H:i e"
MONTH_DAY_FORMAT = "j F"
