// On the overview: a banner where an audit found more mistakes than was promised.
import { appPath, get } from "./api.js";
import { showAlarms } from "./audit_estimates.js";

/** Milliseconds between two looks. */
const EVERY = 30_000;

const room = document.getElementById("audit-alarm");

async function look() {
  try {
    showAlarms(room, await get("audit/status"), appPath("audit"));
  } catch { /* Without the right to list annotations there is nothing to tell. */ }
}

look();
setInterval(() => !document.hidden && look(), EVERY);
