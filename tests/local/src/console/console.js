// Keeps a live list short and readable. Without this file and htmx, the pages show the state at the time when they were loaded.
"use strict";

// Below this position the reader is not at the start of the list, and new entries would move the text.
const TOP = 400;
let held = 0;
let wasBroken = false;

const byId = (id) => document.getElementById(id);
const isPaused = () => Boolean(byId("pause")?.checked) || scrollY > TOP;

function showState(text) {
  const entries = held === 1 ? "1 new entry" : `${held} new entries`;
  const state = byId("state");
  if (state) state.textContent = text ?? (held > 0 ? `Paused: ${entries}.` : isPaused() ? "Paused." : "Live.");
}

// Loads the list again, with the filter.
function refresh() {
  held = 0;
  htmx.trigger("#filter", "refresh");
}

function resume() {
  if (held > 0 && !isPaused()) refresh();
  showState();
}

document.addEventListener("htmx:sseBeforeMessage", (event) => {
  const isShown = byId(`e${event.detail.lastEventId}`);
  if (!isShown && isPaused()) held += 1;
  if (isShown || isPaused()) event.preventDefault();
  showState();
});

document.addEventListener("htmx:sseMessage", () => {
  const entries = byId("entries");
  while (entries.children.length > Number(entries.dataset.max)) entries.lastElementChild.remove();
});

document.addEventListener("htmx:sseError", () => {
  wasBroken = true;
  showState("The connection is lost. The console tries again.");
});

document.addEventListener("htmx:sseOpen", () => {
  if (wasBroken) refresh();
  wasBroken = false;
  showState();
});

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target.id === "stream") held = 0;
});

document.addEventListener("change", (event) => {
  if (event.target.id === "pause") resume();
});
document.addEventListener("scroll", resume, { passive: true });

for (const label of document.querySelectorAll(".pause")) label.hidden = false;
