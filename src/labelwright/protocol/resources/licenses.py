"""The open-source licences that a model version may name."""

from __future__ import annotations

from clarifai_grpc.grpc.api import service_pb2

from labelwright.protocol.dispatch import Call, serves

LICENSES = (
    "AFL-3.0",
    "AGPL-3.0",
    "Apache-2.0",
    "Artistic-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC-BY-4.0",
    "CC-BY-NC-4.0",
    "CC-BY-NC-SA-4.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "ECL-2.0",
    "EPL-2.0",
    "EUPL-1.2",
    "GPL-2.0",
    "GPL-3.0",
    "ISC",
    "LGPL-2.1",
    "LGPL-3.0",
    "MIT",
    "MPL-2.0",
    "MS-PL",
    "NCSA",
    "OFL-1.1",
    "OSL-3.0",
    "PostgreSQL",
    "Unlicense",
    "WTFPL",
    "Zlib",
)
"""By their SPDX names. A version may name another one: the field is free text."""


@serves("ListOpenSourceLicenses")
def list_open_source_licenses(
    _call: Call, _request: service_pb2.ListOpenSourceLicensesRequest
) -> service_pb2.ListOpenSourceLicensesResponse:
    """Licences to choose from; anybody may ask."""
    return service_pb2.ListOpenSourceLicensesResponse(licenses=LICENSES)
