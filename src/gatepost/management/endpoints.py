"""The HTTP endpoints of the management API: what each path answers. `app.py` says which path that is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gatepost.management.access import Caller
from gatepost.management.applying import ListenerStatus, NodeStatus
from gatepost.management.client import is_asked_as_this_machine, is_tls, peer_of
from gatepost.management.credentials import Credentials, Identity
from gatepost.management.ended_sessions import end_session
from gatepost.management.event_stream import EventStreams
from gatepost.management.jmap.engine import JmapEngine
from gatepost.management.jmap.failure import over_limit
from gatepost.management.jmap.i_json import parse_i_json
from gatepost.management.jmap.session_object import session_object, session_state
from gatepost.management.methods.set_flow import SetParts
from gatepost.management.methods.table import method_table
from gatepost.management.parts import ManagementParts
from gatepost.management.problem_response import HttpProblem
from gatepost.management.request_body import read_json_body
from gatepost.management.schema_resource import SchemaResource
from gatepost.management.shared_question import SharedQuestion
from gatepost.management.stored_revision import StoredRevision
from gatepost.management.web_session import COOKIE_NAME, csrf_token, expiry_of_token, make_token, renewed_token
from gatepost.registry.catalogue import EVERY_TYPE
from gatepost.registry.listener_status import LISTENER_STATUS
from gatepost.registry.permissions import TYPE_LABELS, Scope, Verb
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

_RELAYED = frozenset({"forwarded", "via", "x-forwarded-for", "x-real-ip"})  # what proxies add to a request
_JSON_FIELDS = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-cache, no-store, must-revalidate"),  # RFC 8620 section 2
)
_SERIAL_OCTETS = 12
_MAX_LOGIN_BODY = 16 * 1024


class Endpoints:
    """All endpoints; one instance per worker."""

    def __init__(self, parts: ManagementParts) -> None:
        self._parts = parts
        self._credentials = Credentials(parts)
        set_parts = SetParts(
            store=parts.store,
            applier=parts.applier,
            hash_to_store=parts.hash_to_store,
            delete_account_mail=parts.delete_account_mail,
            connections=parts.connections,
            make_id=parts.make_id,
            now=parts.now,
            random_octets=parts.random_octets,
        )
        self._stored_revision = StoredRevision(parts.store, parts.now)
        self._engine = JmapEngine(method_table(set_parts, parts.connections), parts.limits)
        self._event_streams = EventStreams(parts.store, self._credentials, parts.state_watch, parts.event_stream_limits)
        self._statuses = SharedQuestion(self._ask_statuses)
        self._schema = SchemaResource(EVERY_TYPE.values())

    async def jmap(self, request: Request) -> Response:
        """POST /jmap: the API itself (RFC 8620 section 3.1)."""
        identity = await self._credentials.identify(request)
        caller = identity.caller
        most = self._parts.limits.max_concurrent_requests
        turn = self._parts.request_turns.take(caller.account_id, most)
        if turn is None:
            raise over_limit("maxConcurrentRequests", most)
        try:
            body = await read_json_body(request, self._parts.limits.max_size_request)
            state = session_state(caller, self._parts.limits)
            if identity.csrf_token is None:
                return _json(await self._engine.process(body, caller, state))
            return await self._jmap_of_session(request, body, caller, state)
        finally:
            self._parts.request_turns.give_back(turn)

    async def _jmap_of_session(self, request: Request, body: bytes, caller: Caller, state: str) -> Response:
        """The same with a cookie. A session that sets its account's password goes on, under a new cookie; all others end."""
        new_passwords: dict[Id, Secret] = {}
        response = _json(await self._engine.process(body, caller, state, new_passwords))
        if (password_hash := new_passwords.get(caller.account_id)) is not None:
            token = renewed_token(self._parts.session_key, request.cookies[COOKIE_NAME], password_hash)
            self._set_cookie(request, response, token)
        return response

    async def session(self, request: Request) -> Response:
        """GET /jmap/session: the Session resource (RFC 8620 section 2)."""
        caller = (await self._credentials.identify(request)).caller
        base_url = str(request.base_url).rstrip("/")
        return _json(msgspec.json.encode(session_object(caller, self._parts.limits, base_url)))

    async def event_source(self, request: Request) -> Response:
        """GET /jmap/eventsource/: push of state changes (RFC 8620 section 7.3)."""
        return await self._event_streams.answer(request)

    async def upload(self, request: Request) -> Response:
        """POST /jmap/upload/{accountId}/ (RFC 8620 section 6.1): no object has files, so nothing is taken."""
        await self._credentials.identify(request)
        raise over_limit("maxSizeUpload", 0)

    async def download(self, request: Request) -> Response:
        """GET /jmap/download/… (RFC 8620 section 6.2): there are no blobs."""
        await self._credentials.identify(request)
        raise HttpProblem(404, "there is no file with this blobId")

    async def well_known(self, _request: Request) -> Response:
        """GET /.well-known/jmap (RFC 8620 section 2.2)."""
        return RedirectResponse("/jmap/session", 307)

    async def schema(self, request: Request) -> Response:
        """GET /api/schema."""
        await self._credentials.identify(request)
        return self._schema.redirect()

    async def schema_of_hash(self, request: Request) -> Response:
        """GET /api/schema/{hash}."""
        await self._credentials.identify(request)
        return self._schema.answer(request)

    async def account(self, request: Request) -> Response:
        """GET /api/account: who am I, and what may I do."""
        identity = await self._credentials.identify(request)
        return _json(msgspec.json.encode(_account_document(identity)))

    async def log_in(self, request: Request) -> Response:
        """POST /api/login: `{"user", "password"}` for a cookie and a CSRF token."""
        self._credentials.refuse_clear_text(request)
        match parse_i_json(await read_json_body(request, _MAX_LOGIN_BODY, "the size of a sign-in")):
            case {"user": str() as login_name, "password": str() as password}:
                pass
            case _:
                raise HttpProblem(400, "a sign-in needs the members user and password")
        account = await self._credentials.by_password(request, login_name, Secret(password))
        serial = self._parts.random_octets(_SERIAL_OCTETS)
        token = make_token(self._parts.session_key, account.id, account.password_hash, self._parts.now(), serial)
        answer = {
            "accountId": account.id,
            "name": account.login_name,
            "role": account.role,
            "csrfToken": csrf_token(self._parts.session_key, token),
        }
        response = _json(msgspec.json.encode(answer))
        self._set_cookie(request, response, token)
        return response

    def _set_cookie(self, request: Request, response: Response, token: str) -> None:
        left = expiry_of_token(token) - int(self._parts.now().timestamp())
        secure = is_tls(request)
        response.set_cookie(COOKIE_NAME, token, max_age=left, secure=secure, httponly=True, samesite="strict")

    async def log_out(self, request: Request) -> Response:
        """POST /api/logout: the session is over, and the browser forgets its cookie."""
        identity = await self._credentials.identify(request)
        if identity.csrf_token is not None:  # it came with a cookie
            await end_session(self._parts.store, request.cookies[COOKIE_NAME], self._parts.now())
        response = Response(status_code=204, headers={"cache-control": "no-store"})
        response.delete_cookie(COOKIE_NAME, secure=is_tls(request), httponly=True, samesite="strict")
        return response

    async def live(self, _request: Request) -> Response:
        """GET /healthz/live: this process answers."""
        return _json(b'{"status":"live"}')

    async def ready(self, _request: Request) -> Response:
        """GET /healthz/ready: 503 with the names of the listeners of the plan that do not run."""
        states = {status.listener_id: status.state for status in await self._statuses.answer()}
        waiting = [
            listener.name for listener in self._parts.running_plan().listeners if states.get(listener.id) != "active"
        ]
        document = {"status": "not ready" if waiting else "ready", "notRunning": waiting}
        return _json(msgspec.json.encode(document), 503 if waiting else 200)

    async def _ask_statuses(self) -> Sequence[ListenerStatus]:
        return await self._parts.applier.statuses()

    async def metrics(self, request: Request) -> Response:
        """GET /metrics: for Prometheus. From this machine without credentials, unless a proxy or a browser on it asks for
        somebody else."""
        is_local = peer_of(request).is_loopback and is_asked_as_this_machine(request)
        if not is_local or not _RELAYED.isdisjoint(request.headers.keys()):
            caller = (await self._credentials.identify(request)).caller
            if caller.scope(LISTENER_STATUS.name, Verb.GET) is not Scope.ALL:
                raise HttpProblem(403, "metrics are for administrators and operators")
        node = await self._parts.applier.node_status()
        stored_revision = await self._stored_revision.beside(node.running_plan)
        document, content_type = await asyncio.to_thread(_metrics, node, stored_revision)
        return Response(document, headers={"cache-control": "no-store", "content-type": content_type})

    async def home(self, _request: Request) -> Response:
        """GET /: the web UI is elsewhere."""
        return RedirectResponse("/admin/", 302)


def _account_document(identity: Identity) -> dict[str, object]:
    caller = identity.caller
    document: dict[str, object] = {
        "permissions": caller.permissions(TYPE_LABELS, Scope.ALL),
        "ownPermissions": caller.permissions(TYPE_LABELS, Scope.OWN),  # on the account itself and what belongs to it
        "edition": "oss",
        "locale": "en",
        "accountId": caller.account_id,
        "name": caller.login_name,
        "role": caller.role.value,
    }
    return document if identity.csrf_token is None else document | {"csrfToken": identity.csrf_token}


def _metrics(node: NodeStatus, stored_revision: int) -> tuple[bytes, str]:
    from gatepost.management import metrics  # at the first scrape: most servers start without one

    return metrics.render(node, stored_revision), metrics.CONTENT_TYPE


class _Json(Response):
    """Of octets that are JSON already. The header is always the same but for the length."""

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        assert headers is None  # noqa: S101 - nobody gives any
        self.raw_headers = [*_JSON_FIELDS, (b"content-length", b"%d" % len(self.body))]


def _json(octets: bytes, status: int = 200) -> Response:
    return _Json(octets, status)
