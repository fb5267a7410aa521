"""Who deploys, and the short forms of the name that go into paths, prefixes and tags."""

from __future__ import annotations

import re
import unicodedata
import uuid
from typing import Any

from databricks.sdk import WorkspaceClient


def current_user(client: WorkspaceClient) -> dict[str, Any]:
    """The workspace's answer about the caller, with `short_name` and `domain_friendly_name`."""
    me = client.api_client.do("GET", "/api/2.0/preview/scim/v2/Me")
    assert isinstance(me, dict)
    name = me["userName"]
    if is_service_principal(name):
        name = me.get("displayName") or name
    short = normalized(name.partition("@")[0])
    plain = unicodedata.normalize("NFD", short)
    unmarked = "".join(letter for letter in plain if unicodedata.category(letter) != "Mn")
    friendly = re.sub(r"[^a-zA-Z0-9]", "-", unmarked).lower()
    return {**me, "short_name": short, "domain_friendly_name": friendly}


def is_service_principal(user_name: str) -> bool:
    """Whether a user name is a service principal's: those are UUIDs."""
    try:
        uuid.UUID(user_name)
    except ValueError:
        return False
    return True


def normalized(text: str) -> str:
    """Lower case; each run of what is no letter and no digit is one underscore, none at the ends."""
    return re.sub(r"_+", "_", re.sub(r"[^\w]", "_", text.lower())).strip("_")
