"""Who makes a request: an account with its password (Basic), an API key (Bearer), or the cookie of the web UI."""

from __future__ import annotations

import binascii
from base64 import b64decode

import msgspec
from starlette.requests import Request

from gatepost.mail.directory import DirectoryAccount
from gatepost.management.access import Caller
from gatepost.management.api_key_login import ApiKeyLogin, KeyRefused
from gatepost.management.client import https_url, is_protected, peer_of, request_way
from gatepost.management.ended_sessions import is_ended
from gatepost.management.parts import ManagementParts
from gatepost.management.problem_response import HttpProblem
from gatepost.management.web_session import (
    COOKIE_NAME,
    CSRF_HEADER,
    account_of_token,
    csrf_token,
    is_csrf_token,
    is_genuine,
)
from gatepost.registry.account import ACCOUNT, Account, Role
from gatepost.registry.domain import DOMAIN
from gatepost.session.reactions import AuthenticationFailed
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_BASIC = 'Basic realm="gatepost", charset="UTF-8"'
_BEARER = 'Bearer realm="gatepost"'
_BEARER_REFUSED = 'Bearer realm="gatepost", error="invalid_token"'  # RFC 6750 section 3.1
_KEY_REFUSED = "this API key is not taken: it is not known, has expired, or may not be used from this address"
_TOO_MANY_FAILURES = "there were too many failures from this address: try again later"


class Identity(msgspec.Struct, frozen=True):
    """Who calls; `csrf_token` where a cookie said so."""

    caller: Caller
    csrf_token: str | None = None


class Credentials:
    """Finds out who makes a request."""

    def __init__(self, parts: ManagementParts) -> None:
        self._parts = parts
        self._api_keys = ApiKeyLogin(parts.store, parts.now, parts.api_key_pace, parts.login_waits)

    async def identify(self, request: Request) -> Identity:
        """Raises HttpProblem: 400 with two Authorization headers, 401 without good credentials, 403 in clear or without a CSRF
        token, 503 when it cannot be found out now."""
        self.refuse_clear_text(request)
        headers = request.headers.getlist("authorization")
        if len(headers) > 1:  # a proxy may have looked at the other one
            raise HttpProblem(400, "there may be one Authorization header")
        if headers:
            return await self._by_header(request, headers[0])
        token = request.cookies.get(COOKIE_NAME)
        if token is not None:
            return await self._by_cookie(request, token)
        raise unauthenticated(request, "sign in with an account and its password, or with an API key")

    def refuse_clear_text(self, request: Request) -> None:
        """Raises HttpProblem 403 when credentials would cross the network in clear."""
        plan = self._parts.running_plan()
        if plan.may_log_in_over_clear_http or is_protected(request):
            return
        url = https_url(request, plan)
        where = f"use {url}" if url else "there is no https listener yet: create one from the server itself"
        raise HttpProblem(403, f"passwords are not taken over unencrypted HTTP; {where}")

    async def by_password(self, request: Request, login_name: str, password: Secret) -> DirectoryAccount:
        """The account of a name and a password. Raises HttpProblem 401, 503."""
        try:
            return await self._parts.authenticator.authenticate(login_name, password, peer_of(request))
        except AuthenticationFailed as error:
            if error.is_temporary:
                words = "signing in is not possible at the moment: try again"
                raise HttpProblem(503, words, (("retry-after", "2"),)) from None
            raise unauthenticated(request, "the name or the password is not right") from None

    async def _by_header(self, request: Request, header: str) -> Identity:
        scheme, _, encoded = header.partition(" ")
        match scheme.lower():
            case "basic":
                return await self._by_basic(request, encoded)
            case "bearer":
                return await self._by_key(request, Secret(encoded.strip()))
        raise unauthenticated(request, "credentials are taken by the schemes Basic and Bearer")

    async def _by_basic(self, request: Request, encoded: str) -> Identity:
        try:
            login_name, colon, password = b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise unauthenticated(request, "the credentials cannot be read (RFC 7617)") from None
        if not colon:
            raise unauthenticated(request, "the credentials cannot be read (RFC 7617)")
        account = await self.by_password(request, login_name, Secret(password))
        return Identity(_caller(request, account.id, account.login_name, Role(account.role)))

    async def _by_key(self, request: Request, token: Secret) -> Identity:
        try:
            key_id, key = await self._api_keys.key_of(token, peer_of(request))
        except KeyRefused as refused:
            if refused.must_wait:
                raise HttpProblem(503, _TOO_MANY_FAILURES, (("retry-after", "10"),)) from None
            raise unauthenticated(request, _KEY_REFUSED, _BEARER_REFUSED) from None
        account = await self._account(key.account_id) if key.account_id is not None else None
        if key.account_id is None or account is None:
            raise unauthenticated(request, _KEY_REFUSED, _BEARER_REFUSED)
        login_name = await self._login_name(account)
        caller = _caller(request, key.account_id, login_name, account.role)
        return Identity(msgspec.structs.replace(caller, key=key, key_id=key_id))

    async def _by_cookie(self, request: Request, token: str) -> Identity:
        key = self._parts.session_key
        account_id = account_of_token(token, self._parts.now())
        account = await self._account(account_id) if account_id is not None else None
        is_good = account is not None and is_genuine(key, token, account.password)
        if account_id is None or account is None or not is_good or await is_ended(self._parts.store, token):
            raise unauthenticated(request, "the session has ended: sign in again")
        if request.method not in _SAFE_METHODS and not is_csrf_token(key, token, request.headers.get(CSRF_HEADER, "")):
            raise HttpProblem(403, f"the header {CSRF_HEADER} is missing or wrong")
        login_name = await self._login_name(account)
        return Identity(_caller(request, account_id, login_name, account.role), csrf_token(key, token))

    async def _account(self, account_id: Id) -> Account | None:
        stored = await self._parts.store.read_objects(ACCOUNT.name, [account_id])
        return ACCOUNT.from_stored(stored[0].value) if stored else None

    async def _login_name(self, account: Account) -> str:
        if account.domain_id is None:
            return account.name
        stored = await self._parts.store.read_objects(DOMAIN.name, [account.domain_id])
        return f"{account.name}@{DOMAIN.from_stored(stored[0].value).name}" if stored else account.name


def unauthenticated(request: Request, detail: str, bearer: str = _BEARER) -> HttpProblem:
    """401 with both challenges. A script of a web page gets the one that makes no browser open a password window."""
    is_script = request.headers.get("sec-fetch-mode", "navigate") != "navigate"
    challenges = [bearer] if is_script else [_BASIC, bearer]
    return HttpProblem(401, detail, tuple(("www-authenticate", challenge) for challenge in challenges))


def _caller(request: Request, account_id: Id, login_name: str, role: Role) -> Caller:
    return Caller(account_id, login_name, role, request_way(request))
