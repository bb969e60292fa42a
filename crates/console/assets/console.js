// What needs a script: copying, strings that follow the selects, and pages that stay fresh. Everything else works without.
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
    // Without leave to write the clipboard, the text is at least selected.
    getSelection().selectAllChildren(source);
    word.textContent = "Selected";
  }
  announce(word.textContent);
  setTimeout(() => { word.textContent = "Copy"; }, COPIED_FOR_MS);
}

const teller = document.createElement("div");
teller.className = "unseen";
teller.setAttribute("role", "status");
document.body.append(teller);
function announce(text) { teller.textContent = ""; teller.textContent = text; }

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

// A choice brings its strings, without leaving the page and without moving the focus.
const wish = document.querySelector("[data-wish]");
let asked = 0;
async function follow() {
  const turn = ++asked;
  const strings = document.querySelector("[data-strings]");
  const fields = new URLSearchParams(new FormData(wish));
  const post = wish.method === "post";
  const address = post ? wish.action : `${wish.action}?${fields}`;
  strings.classList.add("busy");
  try {
    const answer = await fetch(address, post ? { method: "POST", body: fields } : {});
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-strings]");
    if (turn !== asked) return;
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
    if (turn === asked) strings.classList.remove("busy");
  }
}
if (wish) wish.addEventListener("change", follow);

// A page that is looked at stays fresh, part by part; a part that holds the focus waits.
const note = document.querySelector("[data-live-note]");
function say(live) {
  note.hidden = false;
  note.classList.toggle("off", !live);
  note.textContent = live ? "Live" : "Not live: the server does not answer";
}
async function refresh() {
  if (document.hidden) return true;
  const answer = await fetch(location.pathname + location.search, { headers: { "x-tidegate-live": "1" } });
  if (answer.status === 401) { ended(); return false; }
  if (answer.redirected || answer.status === 404) { location.reload(); return false; }
  if (!answer.ok) throw new Error(answer.statusText);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!fresh || fresh.innerHTML === part.innerHTML || part.contains(document.activeElement)) continue;
    // A region that announces itself must stay the same element.
    const status = part.querySelector("[role=status]");
    const said = fresh.querySelector("[role=status]");
    if (status && said) { status.innerHTML = said.innerHTML; continue; }
    part.replaceChildren(...fresh.childNodes);
  }
  return true;
}
// Nobody is sent away from what they read; the page says what it is now.
function ended() {
  document.querySelector("[data-ended]").hidden = false;
  note.classList.add("off");
  note.textContent = "Not live: signed out";
}
async function live() {
  let more = true;
  try { more = await refresh(); if (more) say(true); } catch { say(false); }
  if (more) setTimeout(live, LIVE_EVERY_MS);
}
if (document.querySelector("[data-live]")) { say(true); setTimeout(live, LIVE_EVERY_MS); }

offerCopies(document);
