"""The payment provider over HTTP (see `orders.bank`). A request is sent once: the caller decides whether to repeat it.

A read timeout is `NoAnswer`, because the request was sent. Any other failure of the connection, and every 5xx, is
`errors.Unavailable`. A 4xx, and an answer that makes no sense, is `ProviderFault`.
"""

import time
import urllib.parse
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
import urllib3

from auction_project.kernel import errors
from orders import metrics, provider

CONNECT_SECONDS = 1.0
HEALTH_SECONDS = 1.0
PAGE_ROWS = 1000
MAX_IDLE_CONNECTIONS = 64  # the threads of the callers bound those in use


class BankClient:
    """A `provider.PaymentProvider`. Thread-safe; no client survives a fork. An answer may take `read_seconds`."""

    def __init__(self, url: str, api_key: str, *, read_seconds: float) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._http = urllib3.PoolManager(
            maxsize=MAX_IDLE_CONNECTIONS,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds),
            retries=False,
        )

    def capture(self, *, key: str, token: str, amount: int, currency: str, reference: str) -> provider.Result:
        body = {"token": token, "amount": amount, "currency": currency, "reference": reference}
        return _result(self._send("POST", "/payments", json=body, headers={"Idempotency-Key": key}))

    def cancel(self, *, key: str) -> provider.Result:
        return _result(self._send("POST", f"{_path(key)}/cancel"))

    def refund(self, *, key: str) -> None:
        self._send("POST", f"{_path(key)}/refund")

    def refund_part(self, *, key: str, refund_key: str, amount: int) -> None:
        self._send(
            "POST", f"{_path(key)}/refunds", json={"amount": amount}, headers={"Idempotency-Key": refund_key}
        )

    def is_healthy(self) -> bool:
        try:
            return self._request("GET", "/healthz", timeout=HEALTH_SECONDS).status == HTTPStatus.OK
        except urllib3.exceptions.HTTPError:
            return False

    def get_payment(self, *, key: str) -> provider.Record | None:
        answer = self._send("GET", _path(key), missing_is_none=True)
        return None if answer is None else _convert(answer, provider.Record)

    def list_payments(self) -> Iterator[provider.Record]:
        after = 0
        while True:
            page = self._send("GET", "/payments", fields={"after": after, "limit": PAGE_ROWS})
            for item in page["items"]:
                yield _convert(item, provider.Record)
            if len(page["items"]) < PAGE_ROWS:
                return
            after = page["next"]

    def close(self) -> None:
        self._http.clear()

    def _send(self, method: str, path: str, *, missing_is_none: bool = False, **options: Any) -> Any:
        began, outcome = time.monotonic(), "unavailable"
        try:
            response = self._request(method, path, **options)
            outcome = "unavailable" if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "answered"
        except urllib3.exceptions.ReadTimeoutError as error:
            outcome = "no_answer"
            raise provider.NoAnswer from error
        except urllib3.exceptions.HTTPError as error:
            raise errors.Unavailable(f"The payment provider cannot be reached: {error!r}") from error
        finally:
            metrics.provider_seconds.labels(outcome).observe(time.monotonic() - began)
        if response.status == HTTPStatus.NOT_FOUND and missing_is_none:
            return None
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise errors.Unavailable(f"The payment provider answers {response.status}.")
        if response.status >= HTTPStatus.BAD_REQUEST:
            shown = response.data[:300].decode(errors="replace")
            raise provider.ProviderFault(f"{method} {path}: {response.status} {shown}")
        return _decode(response.data)

    def _request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        return self._http.request(
            method, f"{self._url}{path}", headers={**self._headers, **(headers or {})}, **options
        )


def _path(key: str) -> str:
    return f"/payments/{urllib.parse.quote(key, safe='')}"


def _result(answer: Any) -> provider.Result:
    return _convert(answer, provider.Result)


def _convert(answer: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise provider.ProviderFault(f"The payment provider's answer makes no sense: {error}") from error


def _decode(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise provider.ProviderFault("The payment provider's answer is not JSON.") from error
