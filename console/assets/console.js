// Moments in the reader's own time zone, and pages that change by themselves. Everything can be read without it.
"use strict";

const language = document.documentElement.lang;
const exact = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
const FOCUSABLE = "a[href], button, input, select, summary";
const ISO = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;

function tellMoments(part) {
  for (const time of part.querySelectorAll("time[datetime]")) {
    const told = exact.format(new Date(time.dateTime));
    time.title = told;
    if (time.dataset.show === "moment") time.textContent = told;
  }
  for (const text of part.querySelectorAll("[data-moments]")) {
    for (const node of text.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) {
        node.nodeValue = node.nodeValue.replace(ISO, (moment) => exact.format(new Date(moment)));
      }
    }
  }
}

// What is open stays open, and what has the focus keeps it.
function replace(part, html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").body;
  tellMoments(fresh);
  const open = [...part.querySelectorAll("details")].map((one) => one.open);
  fresh.querySelectorAll("details").forEach((one, place) => { one.open = open[place] ?? one.open; });
  const before = [...part.querySelectorAll(FOCUSABLE)];
  const place = before.indexOf(document.activeElement);
  const after = [...fresh.querySelectorAll(FOCUSABLE)];
  const focused = after.find((one) => one.isEqualNode(before[place])) ?? after[place];
  part.replaceChildren(...fresh.childNodes);
  focused?.focus({ preventScroll: true });
}

function follow(part) {
  const note = document.getElementById("live-note");
  const source = new EventSource(part.dataset.live);
  source.addEventListener("page", (event) => {
    replace(part, event.data);
    part.dataset.is = "live";
    note.hidden = true;
  });
  source.addEventListener("error", () => {
    part.dataset.is = "lost";
    note.textContent = part.dataset.lost;
    note.hidden = false;
  });
  addEventListener("pagehide", () => source.close());
}

tellMoments(document);
// On a phone the sections scroll.
document.querySelector(".sections [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
for (const part of document.querySelectorAll("[data-live]")) follow(part);
