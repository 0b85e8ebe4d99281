"""All object types: the lists that the API, the schema document and the store are driven by. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.registry.account import ACCOUNT
from gatepost.registry.api_key import API_KEY
from gatepost.registry.certificate import CERTIFICATE
from gatepost.registry.change import CHANGE
from gatepost.registry.connection import CONNECTION
from gatepost.registry.declaration import ObjectType
from gatepost.registry.domain import DOMAIN
from gatepost.registry.ip_network import ALLOWED_IP, BLOCKED_IP
from gatepost.registry.listener_status import LISTENER_STATUS
from gatepost.registry.network_listener import NETWORK_LISTENER
from gatepost.registry.system_settings import SYSTEM_SETTINGS

OBJECT_TYPES: Mapping[str, ObjectType[Any]] = {
    object_type.name: object_type
    for object_type in (
        NETWORK_LISTENER,
        SYSTEM_SETTINGS,
        CERTIFICATE,
        BLOCKED_IP,
        ALLOWED_IP,
        DOMAIN,
        ACCOUNT,
        API_KEY,
    )
}

READ_ONLY_TYPES: Mapping[str, ObjectType[Any]] = {
    object_type.name: object_type for object_type in (LISTENER_STATUS, CONNECTION, CHANGE)
}
"""Types of objects that the server makes, and nobody configures."""

EVERY_TYPE: Mapping[str, ObjectType[Any]] = {**OBJECT_TYPES, **READ_ONLY_TYPES}
