// An app with a workflow that labels by itself: the same calls that any client of the API makes.

import { v2 } from "/ui/static/api.js";

const PUBLIC = { user_id: "clarifai", app_id: "main" };
const GENERAL = [
  ["general-embed", "bbb5f41425b8468d9b7a554ff10f8581", "bb186755eda04f9cbb6fe32e816be104"],
  ["general-concept", "aaa03c23b3724a16a56b629203edc62c", "aa7f35c01e0642fda5cf400f543e7c40"],
  ["general-cluster", "cccbe437d6e54e2bb911c6aa292fb072", "cc2074cff6dc4c02b6f4e1b8606dcb54"],
];
const OWN = [
  ["mapper", "synonym-model-id", "general-concept"],
  ["greater-than", "greater-than-model-id", "mapper"],
  ["write-success", "write-success-model-id", "greater-than"],
  ["less-than", "less-than-model-id", "mapper"],
  ["write-pending", "write-pending-model-id", "less-than"],
];
const WORKFLOW = "auto-annotation-workflow-id";
const GREATER_THAN = 1;
const LESS_THAN = 3;
const SUCCESS = 24150;
const PENDING = 24151;

export const DEMO_APP = "auto-annotation";
/** Id, name, the concept of clarifai/main that it is a synonym of, the threshold. */
export const DEMO_CONCEPTS = [
  { id: "peopleID", name: "people", of: "ai_l8TKp2h5", threshold: 0.5 },
  { id: "manID", name: "man", of: "ai_dxSG2s86", threshold: 0.5 },
  { id: "adultID", name: "adult", of: "ai_VPmHr5bm", threshold: 0.95 },
];

/** The concepts of an app that looks for people alone. */
export function people(threshold) {
  return [{ id: "people", name: "people", of: "ai_l8TKp2h5", threshold }];
}

/** Make an app; without concepts it stores its inputs, and no more. Gives {user, app}. */
export async function makeApp(user, id) {
  const empty = { id: "Empty", app_id: "main", user_id: "clarifai" };
  await v2(`/users/${encodeURIComponent(user)}/apps`, { body: { apps: [{ id, default_workflow: empty }] } });
  return { user, app: id };
}

/** Concepts, their relations, and the models of the workflow. Gives the models' versions by their ids. */
export async function makeModels(there, concepts) {
  await v2("concepts", { in: there, body: { concepts: concepts.map(({ id, name }) => ({ id, name })) } });
  for (const { id, of } of concepts) {
    await v2(`concepts/${encodeURIComponent(id)}/relations`, {
      in: there,
      body: { concept_relations: [{ object_concept: { id: of, ...PUBLIC }, predicate: "synonym" }] },
    });
  }
  const data = { concepts: concepts.map(({ id, threshold }) => ({ id, value: threshold })) };
  const kinds = {
    mapper: ["concept-synonym-mapper", { params: { knowledge_graph_id: "" } }],
    "greater-than": ["concept-threshold", { data, params: { concept_threshold_type: GREATER_THAN } }],
    "less-than": ["concept-threshold", { data, params: { concept_threshold_type: LESS_THAN } }],
    "write-success": ["annotation-writer", { params: { annotation_status: SUCCESS, annotation_user_id: there.user } }],
    "write-pending": ["annotation-writer", { params: { annotation_status: PENDING, annotation_user_id: there.user } }],
  };
  const versions = {};
  for (const [node, id] of OWN) {
    const [model_type_id, output_info] = kinds[node];
    const reply = await v2("models", { in: there, body: { model: { id, model_type_id, output_info } } });
    versions[id] = reply.model.model_version.id;
  }
  return versions;
}

/** Connect the models, and let every new input run through them. */
export async function makeWorkflow(there, versions) {
  const general = GENERAL.map(([id, model, version]) => ({ id, model: { id: model, ...PUBLIC, model_version: { id: version } } }));
  const own = OWN.map(([id, model, source]) => ({
    id,
    model: { id: model, model_version: { id: versions[model] } },
    node_inputs: [{ node_id: source }],
  }));
  await v2("workflows", { in: there, body: { workflows: [{ id: WORKFLOW, nodes: [...general, ...own] }] } });
  await v2(`/users/${encodeURIComponent(there.user)}/apps`, {
    method: "PATCH",
    body: { action: "overwrite", apps: [{ id: there.app, default_workflow_id: WORKFLOW }] },
  });
}
