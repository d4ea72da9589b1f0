// A cell is saved when it is left, and what is marked as live is read anew once a second.
"use strict";

const EVERY = 1000;

document.documentElement.classList.add("scripted");

// Nobody loses the cell that they are typing in.
const isTypedIn = place => {
  const field = document.activeElement;
  return place.contains(field) && field.matches("input, select");
};

async function show(answer) {
  const fresh = new DOMParser().parseFromString(await (await answer).text(), "text/html");
  for (const place of document.querySelectorAll("[data-live]")) {
    const found = fresh.getElementById(place.id);
    if (found && found.innerHTML !== place.innerHTML && !isTypedIn(place)) place.innerHTML = found.innerHTML;
  }
}

async function look() {
  try {
    await show(fetch("/"));
  } catch {
    document.getElementById("said").textContent = "The playground has stopped.";
  }
  setTimeout(look, EVERY);
}

document.addEventListener("keydown", event => {
  if (event.key === "Enter" && event.target.matches("tbody input")) {
    event.preventDefault();
    event.target.blur();
  }
});

document.addEventListener("change", event => {
  if (event.target.closest("tbody")) event.target.form.requestSubmit();
});

document.addEventListener("submit", async event => {
  event.preventDefault();
  const { target: form, submitter } = event;
  const address = submitter?.getAttribute("formaction") ?? form.getAttribute("action");
  const body = new URLSearchParams(new FormData(form));
  if (form.id === "new") form.reset();
  await show(fetch(address, { method: "POST", body }));
});

setTimeout(look, EVERY);
