// The colours; and, at the door, whether somebody is signed in already.

/** Light where it is dark, and dark where it is light; kept in this browser. */
export function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("labelwright-theme", root.dataset.theme);
}

document.getElementById("theme")?.addEventListener("click", toggleTheme);

// A link on another site brings no cookie along; from our own page it goes.
const next = document.querySelector('form[action="/login"] input[name="next"]');
if (next) {
  fetch("/ui/session", { credentials: "same-origin" })
    .then((response) => response.json())
    .then((session) => session.user && location.replace(next.value))
    .catch(() => {});
}
