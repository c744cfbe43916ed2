// The Node SDK: apps, inputs, models, workflows, predictions.

import { readFileSync, writeFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, Input, Model, User, Workflow } from "clarifai-nodejs";
import { BASE, PAT, PHOTOS_FOLDER, PHOTOS_URL, USER, all, facts, refusal } from "./facts.mjs";

const require = createRequire(import.meta.url);
const resources = require("clarifai-nodejs-grpc/proto/clarifai/api/resources_pb");
const { Struct } = require("google-protobuf/google/protobuf/struct_pb");
const APP = "node-sdk";
const authConfig = { userId: USER, appId: APP, pat: PAT, base: BASE };
const main = { userId: "clarifai", appId: "main" };

// Each model is there already: the SDK would make a missing one at the address of Clarifai's own server.
const YAML = `
workflow:
  id: node-people
  nodes:
    - id: recognition
      model:
        modelId: general-image-recognition
        userId: clarifai
        appId: main
    - id: sure
      model:
        modelId: node-sure
      nodeInputs:
        - nodeId: recognition
`;

const names = (output) => output.data.conceptsList.map((c) => c.name);

await facts(async (saw) => {
  const user = new User(authConfig);
  saw.created = (await user.createApp({ appId: APP, baseWorkflow: "Empty" })).id;
  saw.taken = await refusal(() => user.createApp({ appId: APP, baseWorkflow: "Empty" }));
  saw.got = (await user.app({ appId: APP })).id;
  saw.listed = (await all(user.listApps())).map((a) => a.id).includes(APP);

  const input = new Input({ authConfig });
  const file = join(PHOTOS_FOLDER, "coffee.jpg");
  await input.uploadFromUrl({ inputId: "by-url", imageUrl: `${PHOTOS_URL}/astronaut.jpg`, labels: ["person"] });
  await input.uploadFromFile({ inputId: "by-file", imageFile: file });
  await input.uploadFromBytes({ inputId: "by-bytes", imageBytes: readFileSync(file), metadata: { shelf: "a" } });
  await input.uploadText({ inputId: "by-text", rawText: "Two cups of coffee." });
  const bulk = Array.from({ length: 10 }, (_, i) => Input.getTextInput({ inputId: `bulk-${i}`, rawText: `text ${i}` }));
  await input.bulkUpload({ inputs: bulk, batchSize: 4 });
  const box = Input.getBboxProto({ inputId: "by-url", label: "face", bbox: [0.1, 0.2, 0.5, 0.6] });
  saw.failedBoxes = (await input.uploadAnnotations({ batchAnnot: [box] })).length;
  const patch = new resources.Input();
  patch.setId("by-text");
  const data = new resources.Data();
  const concept = new resources.Concept();
  concept.setId("drink");
  concept.setValue(1);
  data.addConcepts(concept);
  patch.setData(data);
  await input.patchInputs({ inputs: [patch] });

  const app = new App({ authConfig });
  saw.concepts = (await all(app.listConcepts())).map((c) => c.id).sort();
  const general = new Model({ modelId: "general-image-recognition", authConfig: { ...authConfig, ...main } });
  const astronaut = readFileSync(join(PHOTOS_FOLDER, "astronaut.jpg"));
  const url = `${PHOTOS_URL}/astronaut.jpg`;
  saw.byUrl = (await general.predictByUrl({ url, inputType: "image" })).map(names);
  saw.byBytes = (await general.predictByBytes({ inputBytes: astronaut, inputType: "image" })).map(names);
  const filepath = join(PHOTOS_FOLDER, "astronaut.jpg");
  saw.byFile = (await general.predictByFilepath({ filepath, inputType: "image" })).map(names);
  saw.noPicture = await refusal(() => general.predictByBytes({ inputBytes: Buffer.from("?"), inputType: "image" }));
  saw.public = (await all(new App({ authConfig: { ...authConfig, ...main } }).listModels())).length;

  saw.model = (await app.createModel({ modelId: "node-sure", params: { modelTypeId: "concept-threshold" } })).modelTypeId;
  const params = Struct.fromJavaScript({ concept_threshold_type: "GREATER_THAN" });
  const threshold = new resources.Concept().setId("ai_l8TKp2h5").setValue(0.5);
  const settings = new resources.OutputInfo().setParams(params).setData(new resources.Data().setConceptsList([threshold]));
  const sure = new Model({ modelId: "node-sure", authConfig });
  const version = await sure.createVersion(new resources.ModelVersion().setOutputInfo(settings));
  saw.versions = (await all(sure.listVersions())).map((v) => v.id === version.modelVersion.id);

  const config = join(tmpdir(), `node-people-${process.pid}.yml`);
  writeFileSync(config, YAML);
  saw.workflow = (await app.createWorkflow({ configFilePath: config })).nodesList.map((n) => [n.id, n.model.id]);
  rmSync(config);
  const workflow = new Workflow({ workflowId: "node-people", authConfig });
  const reply = await workflow.predictByBytes(astronaut, "image");
  saw.outputs = reply.resultsList[0].outputsList.map((o) => [o.model.id, names(o)]);
  saw.workflows = (await all(app.listWorkflows())).map((w) => w.id);
  saw.models = (await all(app.listModels())).map((m) => m.id);
  await app.deleteWorkflow({ workflowId: "node-people" });
  await app.deleteModel({ modelId: "node-sure" });
  saw.gone = await refusal(() => app.model({ modelId: "node-sure" }));
  await user.deleteApp({ appId: APP });
  saw.noApp = await refusal(() => user.app({ appId: APP }));
});
