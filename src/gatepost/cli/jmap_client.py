"""JMAP (RFC 8620) over httpx: session, method calls, schema. All that the commands know of HTTP.

Every failure is a CommandError of one clear line: nobody reads a traceback because a password was wrong.
"""

from __future__ import annotations

import ipaddress
import json
import math
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx

from gatepost.cli.failure import CommandError, MethodError, usage_error
from gatepost.config.object_shape import ObjectShape, ObjectShapes, shapes_of

CORE = "urn:ietf:params:jmap:core"
CONFIGURATION = "urn:stalwart:jmap"
GATEPOST = "urn:gatepost:jmap"
USING = (CORE, CONFIGURATION, GATEPOST)
_HIGHEST_PORT = 65535
_CONNECT_SECONDS = 10.0
_NAME_MISMATCHES = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH of openssl/x509_vfy.h
_ANSWER_SECONDS = 120.0  # a /set answers when every worker runs the change


@dataclass(frozen=True, slots=True)
class Access:
    """Where the server is, and who asks. Either an API key, or a user with a password, or neither."""

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    is_insecure: bool = False
    ca_file: str | None = None  # of authorities, or of the server's own certificate; instead of those of the system
    patience: float = _ANSWER_SECONDS  # for an answer


def connect(access: Access, transport: httpx.BaseTransport | None = None) -> JmapClient:
    """A client of the server; nothing is sent yet. Raises CommandError where the URL cannot be used.

    The authorities that the system trusts are trusted, or those of `ca_file`. Proxies of the environment and .netrc are
    passed over: credentials go to the server that was named and to nobody else.
    """
    url = _checked_url(access)
    headers = {"Authorization": f"Bearer {access.api_key}"} if access.api_key else {}
    auth = httpx.BasicAuth(access.user, access.password or "") if access.user and not access.api_key else None
    http = httpx.Client(
        base_url=url,
        headers=headers,
        auth=auth,
        verify=_tls_context(access) if url.scheme == "https" else False,
        timeout=httpx.Timeout(access.patience, connect=min(_CONNECT_SECONDS, access.patience)),
        trust_env=False,
        transport=transport,
    )
    return JmapClient(http, access)


def _tls_context(access: Access) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=access.ca_file)
    except OSError as error:  # ssl.SSLError is one
        words = "holds no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise usage_error(f"--ca-file: {access.ca_file}: {words}") from None
    if access.is_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _checked_url(access: Access) -> httpx.URL:
    try:
        url = httpx.URL(access.url)
    except httpx.InvalidURL as error:
        raise usage_error(f"--url: {access.url!r} is not a URL: {error}") from None
    if url.userinfo:  # it would be in every message about the URL
        raise usage_error("--url: has a user in it; give --user and --password (GATEPOST_PASSWORD), or --api-key")
    if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 1) <= _HIGHEST_PORT:
        raise usage_error(f"--url: {access.url!r} is not a URL of a server; write http://127.0.0.1:8080 or https://…")
    has_credentials = bool(access.api_key or access.user)
    if url.scheme == "http" and has_credentials and not _is_loopback(url.host) and not access.is_insecure:
        raise usage_error(
            f"--url: {access.url} would carry the password in clear over the network; use https://, "
            "or --insecure to send it all the same"
        )
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class JmapClient:
    """One server. Use it as a context manager, so that its connection is closed."""

    def __init__(self, http: httpx.Client, access: Access) -> None:
        self._http = http
        self._access = access

    def __enter__(self) -> JmapClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @cached_property
    def session(self) -> Mapping[str, Any]:
        """The Session resource (RFC 8620 section 2)."""
        return self._json(self._send("GET", "/jmap/session"))

    @cached_property
    def shapes(self) -> ObjectShapes:
        """The object types of this server."""
        return shapes_of(self._json(self._send("GET", "/api/schema", follow_redirects=True)))

    def limit(self, name: str, otherwise: int) -> int:
        """A limit that the Session object announces, as `maxObjectsInGet`."""
        capabilities = self.session.get("capabilities", {})
        return int({**capabilities.get(GATEPOST, {}), **capabilities.get(CORE, {})}.get(name, otherwise))

    def call(self, method: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """One method call; the accountId is filled in. Raises MethodError and CommandError."""
        accounts = self.session.get("primaryAccounts", {})
        account_id = accounts.get(CONFIGURATION)
        if account_id is None:
            raise CommandError(
                "this account has no access to the configuration; use one with the role admin or operator"
            )
        request = {"using": USING, "methodCalls": [[method, {"accountId": account_id, **arguments}, "0"]]}
        path = httpx.URL(self.session.get("apiUrl") or "/jmap").path
        responses = self._json(self._send("POST", path, request)).get("methodResponses") or [["error", {}, "0"]]
        name, answer, _ = responses[0]
        if name == "error":
            raise MethodError(method, answer)
        return dict(answer)

    def get(self, shape: ObjectShape, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The objects of these ids, in their order; those that do not exist are left out."""
        found: dict[str, dict[str, Any]] = {}
        for some in _slices(ids, self.limit("maxObjectsInGet", 500)):
            answer = self.call(f"{shape.wire_name}/get", {"ids": list(some)})
            found.update((item["id"], item) for item in answer.get("list", ()))
        return [found[object_id] for object_id in ids if object_id in found]

    def get_all(self, shape: ObjectShape) -> list[dict[str, Any]]:
        """Every object of the type."""
        try:
            found = list(self.call(f"{shape.wire_name}/get", {"ids": None}).get("list", ()))
        except MethodError as error:
            if error.type != "requestTooLarge":
                raise
        else:
            if len(found) < self.limit("maxObjectsInGet", 500):
                return found
        return self.get(shape, self.query(shape))

    def query(
        self,
        shape: ObjectShape,
        filter_: Mapping[str, Any] | None = None,
        sort: Sequence[Mapping[str, Any]] = (),
        limit: int | None = None,
    ) -> list[str]:
        """The ids that match, page by page until `limit` or the end."""
        ids: list[str] = []
        wanted = {"filter": filter_ or None, "sort": list(sort) or None, "calculateTotal": True}
        while limit is None or len(ids) < limit:
            most = {} if limit is None else {"limit": limit - len(ids)}
            answer = self.call(f"{shape.wire_name}/query", {**wanted, **most, "position": len(ids)})
            ids += answer.get("ids", ())
            if not answer.get("ids") or len(ids) >= answer.get("total", math.inf):
                break
        return ids

    def find(self, wire_name: str, wanted: Mapping[str, Any], limit: int) -> tuple[list[dict[str, Any]], int]:
        """The first `limit` objects that a query finds, page by page, and how many there are in all. `wanted`: its arguments,
        as filter and sort. What goes while it is read is left out."""
        most = self.limit("maxObjectsInGet", 500)
        found: list[dict[str, Any]] = []
        total = limit
        while len(found) < min(limit, total):
            page = {"position": len(found), "limit": min(most, limit - len(found)), "calculateTotal": True}
            answer = self.call(f"{wire_name}/query", {**wanted, **page})
            total, ids = int(answer.get("total", 0)), list(answer.get("ids", ()))
            by_id = {each["id"]: each for each in self.call(f"{wire_name}/get", {"ids": ids}).get("list", ())}
            found += [by_id[each] for each in ids if each in by_id]
            if len(by_id) < len(ids) or not ids:
                break
        return found, total

    def set(self, shape: ObjectShape, **arguments: Any) -> Mapping[str, Any]:
        """A /set (RFC 8620 section 5.3). What single objects were refused for stands in the answer."""
        return self.call(f"{shape.wire_name}/set", arguments)

    def update(self, shape: ObjectShape, patches: Mapping[str, Any], **options: Any) -> Mapping[str, Any]:
        """A /set that updates; more objects than one may change go in several, whose answers are put together."""
        some = _slices(list(patches), self.limit("maxObjectsInSet", 500))
        return _together(self.set(shape, update={key: patches[key] for key in keys}, **options) for keys in some)

    def destroy(self, shape: ObjectShape, ids: Sequence[str], **options: Any) -> Mapping[str, Any]:
        """The same for a /set that destroys."""
        some = _slices(ids, self.limit("maxObjectsInSet", 500))
        return _together(self.set(shape, destroy=list(keys), **options) for keys in some)

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, follow_redirects: bool = False
    ) -> httpx.Response:
        try:
            response = self._http.request(method, path, json=body, follow_redirects=follow_redirects)
        except UnicodeEncodeError:
            raise CommandError("an argument is not UTF-8 text, and cannot be sent", exit_code=2) from None
        except httpx.TimeoutException:
            raise CommandError(
                f"{self._http.base_url}: no answer in time; is this the address of the server?"
            ) from None
        except httpx.TransportError as error:
            raise CommandError(_transport_words(str(self._http.base_url).rstrip("/"), error)) from None
        if response.is_success:
            return response
        raise CommandError(self._status_words(response))

    def _status_words(self, response: httpx.Response) -> str:
        detail = _problem_detail(response)
        match response.status_code:
            case 401 if self._access.api_key:
                return "the server refused the API key: check --api-key (GATEPOST_TOKEN), or its end and its networks"
            case 401 if self._access.user:
                user = self._access.user
                return f"the server refused the password of {user}: check --user and --password (GATEPOST_PASSWORD)"
            case 401:
                return "the server asks who you are: give --user and --password, or --api-key"
            case 403:
                return f"forbidden: {detail or 'this account may not do that'}"
            case 404:
                return f"{response.url}: there is no gatepost API here; check --url"
            case 429:
                wait = response.headers.get("Retry-After")
                return f"too many attempts: {f'wait {wait} seconds' if wait else 'wait a while'} and try again"
            case 301 | 302 | 303 | 307 | 308:
                return f"{response.url} leads to {response.headers.get('Location')}: give the address of the server in --url"
            case status:
                return f"{response.url} answered {status} {response.reason_phrase}{f': {detail}' if detail else ''}"

    def _json(self, response: httpx.Response) -> Mapping[str, Any]:
        try:
            document = response.json()
        except ValueError:
            document = None
        if not isinstance(document, Mapping):
            raise CommandError(f"{response.url} did not answer with JSON; is this the address of a gatepost server?")
        return document


def _problem_detail(response: httpx.Response) -> str | None:
    """The words of a problem document (RFC 7807)."""
    try:
        document = json.loads(response.content)
    except ValueError:
        return None
    if not isinstance(document, Mapping):
        return None
    words = document.get("detail") or document.get("title") or document.get("type")
    return str(words) if words else None


def _transport_words(url: str, error: httpx.TransportError) -> str:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"{url}: the certificate cannot be trusted: {cause.verify_message}; {_trust_words(cause)}"
        if isinstance(cause, ssl.SSLError):
            return f"{url}: no TLS there ({cause.reason or cause}); is it an http:// address?"
        if isinstance(cause, ConnectionRefusedError):
            return f"{url}: connection refused; is the server running, and is --url right?"
        if isinstance(cause, ConnectionResetError) and url.startswith("http:"):
            return f"{url}: the server has cut the connection; is it an https:// address?"
    if isinstance(error, httpx.RemoteProtocolError):
        return f"{url}: the server does not answer in HTTP ({error}); is it an https:// address?"
    return f"{url}: cannot be reached: {error or type(error).__name__}"


def _trust_words(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _NAME_MISMATCHES:
        return "give a name of the certificate in --url, or use --insecure to go on without checking"
    return "give its authority, or the certificate itself, in --ca-file, or use --insecure to go on without checking"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _slices(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), max(size, 1)):
        yield ids[start : start + max(size, 1)]


def _together(answers: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The arguments of several responses as those of one: what is by id, and lists of ids, are put together."""
    whole: dict[str, Any] = {}
    for answer in answers:
        for name, value in answer.items():
            present = whole.get(name)
            if isinstance(present, dict) and isinstance(value, Mapping):
                present.update(value)
            elif isinstance(present, list) and isinstance(value, list):
                present += value
            elif present is None or name == "newState":
                whole[name] = dict(value) if isinstance(value, Mapping) else value
    return whole
