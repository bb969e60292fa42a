// Copy buttons, connection strings that follow the choice, and pages that refresh themselves. Everything else works
// without this script.
"use strict";
document.documentElement.classList.add("scripts");

const LIVE_EVERY_MS = 2000;
const COPIED_FOR_MS = 1600;

function offerCopies(within) {
  for (const button of within.querySelectorAll("[data-copy]")) button.hidden = false;
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const word = button.querySelector(".copy-word");
  if (!source || !word) return;
  try {
    await navigator.clipboard.writeText(source.textContent);
    word.textContent = "Copied";
  } catch {
    // The browser does not allow writing to the clipboard: select the text for a copy by hand.
    getSelection().selectAllChildren(source);
    word.textContent = "Selected";
  }
  announce(word.textContent);
  setTimeout(() => { word.textContent = "Copy"; }, COPIED_FOR_MS);
}

const announcer = document.createElement("div");
announcer.className = "unseen";
announcer.setAttribute("role", "status");
document.body.append(announcer);
function announce(text) { announcer.textContent = ""; announcer.textContent = text; }

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

// A change of the choice loads its strings into the page. The focus stays where it is.
const wish = document.querySelector("[data-wish]");
let latestRequest = 0;
async function loadStrings() {
  // Answers may arrive out of order: only that of the latest request is shown.
  const request = ++latestRequest;
  const strings = document.querySelector("[data-strings]");
  const fields = new URLSearchParams(new FormData(wish));
  const post = wish.method === "post";
  const address = post ? wish.action : `${wish.action}?${fields}`;
  strings.classList.add("busy");
  try {
    const answer = await fetch(address, post ? { method: "POST", body: fields } : {});
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-strings]");
    if (request !== latestRequest) return;
    if (!fresh) { wish.requestSubmit(); return; }
    offerCopies(fresh);
    strings.replaceChildren(...fresh.childNodes);
    for (const name of ["with", "os", "tls"]) {
      for (const field of document.querySelectorAll(`input[type=hidden][name=${name}]`)) field.value = fields.get(name);
    }
    if (!post) history.replaceState(null, "", address);
    announce(`Strings for ${wish.elements.with.selectedOptions[0].text}`);
  } catch {
    announce("The server does not answer");
  } finally {
    if (request === latestRequest) strings.classList.remove("busy");
  }
}
if (wish) wish.addEventListener("change", loadStrings);

// A visible page refreshes its parts. A part with the focus is not replaced, or the focus would be lost.
const note = document.querySelector("[data-live-note]");
function showLive(live) {
  note.hidden = false;
  note.classList.toggle("off", !live);
  note.textContent = live ? "Live" : "Not live: the server does not answer";
}
async function refresh() {
  if (document.hidden) return true;
  const answer = await fetch(location.pathname + location.search, { headers: { "x-tidegate-live": "1" } });
  if (answer.status === 401) { showExpired(); return false; }
  if (answer.redirected || answer.status === 404) { location.reload(); return false; }
  if (!answer.ok) throw new Error(answer.statusText);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!fresh || fresh.innerHTML === part.innerHTML || part.contains(document.activeElement)) continue;
    // Screen readers announce changes of a status element only if it stays the same element.
    const status = part.querySelector("[role=status]");
    const freshStatus = fresh.querySelector("[role=status]");
    if (status && freshStatus) { status.innerHTML = freshStatus.innerHTML; continue; }
    part.replaceChildren(...fresh.childNodes);
  }
  return true;
}
// Shows that the session expired. The page stays open, since somebody may be reading it.
function showExpired() {
  document.querySelector("[data-ended]").hidden = false;
  note.classList.add("off");
  note.textContent = "Not live: session expired";
}
async function live() {
  let more = true;
  try { more = await refresh(); if (more) showLive(true); } catch { showLive(false); }
  if (more) setTimeout(live, LIVE_EVERY_MS);
}
if (document.querySelector("[data-live]")) { showLive(true); setTimeout(live, LIVE_EVERY_MS); }

offerCopies(document);
