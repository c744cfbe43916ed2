"use strict";
(() => {
  const box = document.getElementById("filter");
  const found = document.getElementById("found");
  const nothing = document.getElementById("nothing");
  const items = [...document.querySelectorAll("details[data-words]")];
  const families = [...document.querySelectorAll("section.family")];

  for (const origin of document.querySelectorAll(".origin")) origin.textContent = location.origin;

  function filter() {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let rpcs = 0, types = 0;
    for (const item of items) {
      item.hidden = !words.every((word) => item.dataset.words.includes(word));
      if (!item.hidden) item.classList.contains("rpc") ? rpcs++ : types++;
    }
    for (const family of families) family.hidden = !family.querySelector("details:not([hidden])");
    for (const link of document.querySelectorAll("nav li a")) {
      link.parentElement.hidden = document.getElementById(link.hash.slice(1)).hidden;
    }
    nothing.hidden = rpcs + types > 0;
    found.textContent = words.length ? `${rpcs} RPCs and ${types} types` : "";
  }
  box.addEventListener("input", filter);

  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && event.target !== box && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      box.focus();
      box.select();
    } else if (event.key === "Escape" && event.target === box) {
      box.value = "";
      filter();
    }
  });

  function open() {
    let target = null;
    try {
      target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return;
    }
    if (!target) return;
    if (target.closest("[hidden]")) {
      box.value = "";
      filter();
    }
    if (target.tagName === "DETAILS") {
      target.open = true;
      target.querySelector("summary").focus({ preventScroll: true });
    }
    target.scrollIntoView();
  }
  addEventListener("hashchange", open);
  // A link to where one is already changes no hash.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) open();
  });

  // Without a secure context there is no clipboard: then the line is selected, and copied as by hand.
  function copyBySelection(line) {
    const range = document.createRange();
    range.selectNodeContents(line);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    return document.execCommand("copy");
  }
  document.addEventListener("click", async (event) => {
    const button = event.target.closest(".copy");
    if (!button) return;
    const line = button.parentElement.querySelector("code");
    let done = false;
    try {
      await navigator.clipboard.writeText(line.textContent);
      done = true;
    } catch {
      done = copyBySelection(line);
    }
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });

  filter();
  open();
})();
