"""Databricks' errors, one class per way to fail, as the SDKs map them to exceptions.

Shape and codes: https://docs.databricks.com/api/workspace/introduction and databricks-sdk-py `errors/platform.py`.
Clients retry 429 and 5xx, so nothing here that a caller can cause answers with one.
"""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer in Databricks' error shape: HTTP `status`, `error_code` and a message for a person."""

    status = 400
    error_code = "BAD_REQUEST"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def body(self) -> dict[str, Any]:
        return {"error_code": self.error_code, "message": self.message}


class InvalidParameterValue(ApiError):
    error_code = "INVALID_PARAMETER_VALUE"


class MalformedRequest(ApiError):
    error_code = "MALFORMED_REQUEST"


class InvalidState(ApiError):
    error_code = "INVALID_STATE"


class DirectoryNotEmpty(ApiError):
    error_code = "DIRECTORY_NOT_EMPTY"


class FeatureDisabled(ApiError):
    """What Databricks has and the local workspace has not. 400 and not 501, because clients retry 5xx."""

    error_code = "FEATURE_DISABLED"


class Unauthenticated(ApiError):
    status = 401
    error_code = "UNAUTHENTICATED"


class PermissionDenied(ApiError):
    status = 403
    error_code = "PERMISSION_DENIED"


class ResourceDoesNotExist(ApiError):
    status = 404
    error_code = "RESOURCE_DOES_NOT_EXIST"


class EndpointNotFound(ApiError):
    status = 404
    error_code = "ENDPOINT_NOT_FOUND"


class ResourceAlreadyExists(ApiError):
    status = 409
    error_code = "RESOURCE_ALREADY_EXISTS"


class ResourceConflict(ApiError):
    status = 409
    error_code = "RESOURCE_CONFLICT"


class RequestTooLarge(ApiError):
    status = 413
    error_code = "REQUEST_TOO_LARGE"


class OutOfSpace(ApiError):
    """No request's fault, so it answers with 5xx: the same request succeeds once there is room."""

    status = 500
    error_code = "INTERNAL_ERROR"


class LocalWorkspaceError(Exception):
    """What the command line says in one sentence, with the remedy, before it exits non-zero."""
