// The raw gRPC client for Node: its generated classes, over a channel without TLS.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { BASE, PAT, PHOTOS_FOLDER, USER, facts } from "./facts.mjs";

const require = createRequire(import.meta.url);
const { grpc } = require("clarifai-nodejs-grpc");
const { V2Client } = require("clarifai-nodejs-grpc/proto/clarifai/api/service_grpc_pb");
const service = require("clarifai-nodejs-grpc/proto/clarifai/api/service_pb");
const resources = require("clarifai-nodejs-grpc/proto/clarifai/api/resources_pb");

const APP = "node-raw";
const client = new V2Client(BASE.replace("http://", ""), grpc.credentials.createInsecure());

function metadata(key) {
  const made = new grpc.Metadata();
  made.set("authorization", `Key ${key}`);
  made.set("x-clarifai-request-id-prefix", "raw-node-");
  return made;
}

async function call(method, request, key = PAT) {
  const ids = new resources.UserAppIDSet();
  ids.setUserId(USER);
  ids.setAppId(APP);
  request.setUserAppId(ids);
  return await promisify(client[method].bind(client))(request, metadata(key));
}

function input(id, data) {
  const made = new resources.Input();
  made.setId(id);
  made.setData(data);
  return made;
}

await facts(async (saw) => {
  const app = new resources.App();
  app.setId(APP);
  app.setDefaultWorkflowId("Empty");
  const posted = await call("postApps", new service.PostAppsRequest().setAppsList([app]));
  saw.app = [posted.getStatus().getCode(), posted.getAppsList()[0].getId()];
  saw.prefix = posted.getStatus().getReqId().startsWith("raw-node-");

  const text = new resources.Data().setText(new resources.Text().setRaw("Two cups of coffee."));
  const bytes = readFileSync(join(PHOTOS_FOLDER, "astronaut.jpg"));
  const image = new resources.Data().setImage(new resources.Image().setBase64(bytes));
  image.addConcepts(new resources.Concept().setId("person").setValue(1));
  await call("postInputs", new service.PostInputsRequest().setInputsList([input("text", text), input("image", image)]));
  const listed = await call("listInputs", new service.ListInputsRequest().setPerPage(10));
  saw.inputs = listed.getInputsList().map((i) => i.getId()).sort();
  const got = await call("getInput", new service.GetInputRequest().setInputId("image"));
  saw.concepts = got.getInput().getData().getConceptsList().map((c) => [c.getId(), c.getValue()]);

  const predict = new service.PostModelOutputsRequest();
  predict.setModelId("aaa03c23b3724a16a56b629203edc62c");
  predict.setInputsList([input("", new resources.Data().setImage(new resources.Image().setBase64(bytes)))]);
  const predicted = await call("postModelOutputs", predict);
  saw.predicted = predicted.getOutputsList()[0].getData().getConceptsList().map((c) => c.getName());

  const wrong = await call("listInputs", new service.ListInputsRequest(), "no-key");
  saw.wrongKey = [wrong.getStatus().getCode(), wrong.getStatus().getDescription()];
  const missing = await call("getInput", new service.GetInputRequest().setInputId("nobody"));
  saw.missing = missing.getStatus().getCode();
  const deleted = await call("deleteApp", new service.DeleteAppRequest());
  saw.deleted = deleted.getStatus().getCode();
});
