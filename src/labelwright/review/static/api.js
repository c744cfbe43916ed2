// The server's two voices: its own small endpoints (`get`, `post`) and the API itself (`v2`).

const main = document.getElementById("main");

/** Whose app the page shows: {user, app}; both "" on pages of none. */
export const where = { user: main?.dataset.user ?? "", app: main?.dataset.app ?? "" };
/** The id of who is signed in. */
export const me = main?.dataset.me ?? "";

/** What the server refused, in its own words; `http` is 0 and `code` "" where it could not be reached. */
export class ApiError extends Error {
  constructor(status, http) {
    super(status.details || status.description || `HTTP ${http}`);
    this.name = "ApiError";
    this.code = status.code ?? "";
    this.description = status.description ?? "";
    this.details = status.details ?? "";
    this.reqId = status.req_id ?? "";
    this.http = http;
  }

  /** Whether the server could not be reached, so that the same call may go well later. */
  get offline() {
    return this.http === 0 || this.http === 502 || this.http === 503 || this.http === 504;
  }
}

/** The CSRF token, for what is sent without headers (sendBeacon: as "csrf" in the body). */
export function csrf() {
  return token;
}
let token = document.querySelector('meta[name="csrf"]')?.content ?? "";

/** Send what no answer is waited for, since the page is being left: with the CSRF token in the body. */
export function beacon(path, body) {
  const text = JSON.stringify({ ...body, csrf: csrf() });
  return navigator.sendBeacon(uiPath(path), new Blob([text], { type: "application/json" }));
}

const segment = encodeURIComponent;

/** The beginning of the paths of an app's pages: appPath("review") is /apps/…/…/review. */
export function appPath(path = "", { user, app } = where) {
  return `/apps/${segment(user)}/${segment(app)}${path && `/${path}`}`;
}

/** The address of an endpoint of the pages, such as review/take. */
export function uiPath(path, { user, app } = where) {
  return path.startsWith("/") ? path : `/ui/api/${segment(user)}/${segment(app)}/${path}`;
}

/** GET an endpoint of the pages: get("review/summary", {concept: ["a", "b"], min: 0.5}). */
export function get(path, params = {}, options = {}) {
  return send("GET", uiPath(path) + query(params), undefined, options);
}

/** POST to an endpoint of the pages. Options: signal, keepalive. */
export function post(path, body = {}, options = {}) {
  return send("POST", uiPath(path), body, options);
}

/**
 * Call the API by REST. A path without a slash in front is below the page's app: v2("inputs", {params: {page: 1}});
 * v2("/users/me/apps") is below /v2. Options: method, params, body, signal, in ({user, app}: another app).
 */
export function v2(path, { method, params = {}, body, in: there = where, ...options } = {}) {
  const start = path.startsWith("/") ? "/v2" : `/v2/users/${segment(there.user)}/apps/${segment(there.app)}/`;
  return send(method ?? (body === undefined ? "GET" : "POST"), start + path + query(params), body, options);
}

/**
 * The address of an input's media as this server hosts it, on our own origin: hosted(input.data.image, "large").
 * "" where it has none of that size (it is not fetched yet).
 */
export function hosted(media, size = "orig") {
  const kept = media?.hosted;
  if (!kept?.suffix || !kept.sizes?.includes(size)) return "";
  return `/hosted/${size}/${kept.suffix}`;
}

/** Params as a query with its "?": lists several times, nothing for null, undefined and "". */
export function query(params) {
  const made = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") made.append(name, one);
    }
  }
  const text = made.toString();
  return text && `?${text}`;
}

async function send(method, address, body, { signal, keepalive } = {}, again = true) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET") headers["x-labelwright-csrf"] = token;
  let response;
  let reply;
  try {
    response = await fetch(address, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      signal,
      keepalive,
    });
    const text = await response.text();
    reply = text ? JSON.parse(text) : {};
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new ApiError({ description: String(e.message ?? e) }, response?.ok === false ? response.status : 0);
  }
  // Whoever signed in anew in another tab has another token.
  if (response.status === 401 && again && (await renewed())) {
    return send(method, address, body, { signal, keepalive }, false);
  }
  const status = reply?.status;
  if (!response.ok || (typeof status?.code === "number" && ![10000, 10010].includes(status.code))) {
    const error = new ApiError(typeof status === "object" && status ? status : {}, response.status);
    error.reply = reply;
    if (error.http === 401) document.dispatchEvent(new CustomEvent("signed-out"));
    throw error;
  }
  return reply;
}

async function renewed() {
  try {
    const response = await fetch("/ui/session", { credentials: "same-origin" });
    if (!response.ok) return false;
    const now = await response.json();
    if (!now.csrf || now.csrf === token || now.user !== me) return false;
    token = now.csrf;
    return true;
  } catch {
    return false;
  }
}
