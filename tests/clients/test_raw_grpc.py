"""The raw gRPC client, which is what the project's other tests use too: here on the address that all clients share."""

from __future__ import annotations

import grpc
from clarifai_grpc.channel.clarifai_channel import ClarifaiChannel
from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc

from tests.acceptance.conftest import TOKEN, USER
from tests.clients.conftest import Place

METADATA = (("authorization", f"Key {TOKEN}"), ("x-clarifai-request-id-prefix", "my-program-"))


def test_an_apps_life_and_the_request_id(place: Place) -> None:
    ids = resources_pb2.UserAppIDSet(user_id=USER, app_id="raw-grpc")
    channel = ClarifaiChannel.get_insecure_grpc_channel(base="127.0.0.1", port=place.running.port)
    with channel:
        stub = service_pb2_grpc.V2Stub(channel)
        app = resources_pb2.App(id="raw-grpc", default_workflow_id="Empty")
        made = stub.PostApps(service_pb2.PostAppsRequest(user_app_id=ids, apps=[app]), metadata=METADATA)
        assert made.status.code == 10000, made.status
        assert made.status.req_id.startswith("my-program-")
        image = resources_pb2.Image(base64=place.photo("astronaut"))
        one = resources_pb2.Input(id="astronaut", data=resources_pb2.Data(image=image))
        posted = stub.PostInputs(service_pb2.PostInputsRequest(user_app_id=ids, inputs=[one]), metadata=METADATA)
        assert [i.id for i in posted.inputs] == ["astronaut"]
        predict = service_pb2.PostModelOutputsRequest(
            user_app_id=ids, model_id="aaa03c23b3724a16a56b629203edc62c", inputs=[one]
        )
        (output,) = stub.PostModelOutputs(predict, metadata=METADATA).outputs
        assert [c.name for c in output.data.concepts] == ["people"]
        gone = stub.DeleteApp(service_pb2.DeleteAppRequest(user_app_id=ids), metadata=METADATA)
        assert gone.status.code == 10000


async def _listed(address: str) -> service_pb2.MultiAppResponse:
    host, _, port = address.partition(":")
    async with ClarifaiChannel.get_aio_insecure_grpc_channel(base=host, port=int(port)) as channel:
        stub = service_pb2_grpc.V2Stub(channel)
        request = service_pb2.ListAppsRequest(user_app_id=resources_pb2.UserAppIDSet(user_id="me"))
        reply: service_pb2.MultiAppResponse = await stub.ListApps(request, metadata=METADATA)
        return reply


def test_the_asynchronous_channel(place: Place) -> None:
    import asyncio

    assert asyncio.run(_listed(place.address)).status.code == 10000


def test_a_wrong_key_is_a_status_and_no_failed_call(place: Place) -> None:
    with grpc.insecure_channel(place.address) as channel:
        stub = service_pb2_grpc.V2Stub(channel)
        request = service_pb2.ListAppsRequest(user_app_id=resources_pb2.UserAppIDSet(user_id=USER))
        reply = stub.ListApps(request, metadata=(("authorization", "Key no-key"),))
        assert reply.status.code == 11008
        nobody = stub.ListApps(request)
        assert nobody.status.code == 11102
