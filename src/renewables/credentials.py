"""Credentials for the source: a secret scope's, or else the platform's own."""

from __future__ import annotations

from typing import Any


def storage_options(dbutils: Any, secret_scope: str) -> dict[str, str]:
    """fsspec's storage options from a secret scope: each secret is the option of its name.

    So a scope for S3 has the secrets `key` and `secret`; see the driver's documentation for others.
    Without a scope there are none, and the driver looks where its platform keeps credentials:
    instance profile, managed identity, environment. They never are a parameter, which everyone who
    sees a run can read.
    """
    if not secret_scope:
        return {}
    names = [secret.key for secret in dbutils.secrets.list(secret_scope)]
    return {name: dbutils.secrets.get(secret_scope, name) for name in names}
