"""The API as JSON over HTTP, beside gRPC: routes from the service's own options, messages as the API writes them.

`routes` serves; `bindings` tells what there is, for whoever describes the API.
"""

from labelwright.protocol.rest.bindings import Binding, bindings
from labelwright.protocol.rest.endpoint import routes

__all__ = ["Binding", "bindings", "routes"]
