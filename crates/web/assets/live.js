// Adds decisions to the table as they are made. The rows come rendered from the server, by the template of the page
// itself, so nothing here puts foreign text into the document.

const body = document.querySelector("[data-live]");
const state = document.querySelector("[data-live-state]");
const words = document.querySelector("[data-live-words]");
const toggle = document.querySelector("[data-live-toggle]");
const LIMIT = 200;
let source = null;
let fresh = 0;
let spoken = 0;

function show(name, text) {
  state.dataset.state = name;
  words.textContent = text;
}

function announce() {
  spoken = 0;
  if (fresh > 0) {
    document.querySelector("[data-live-announce]").textContent =
      fresh === 1 ? "1 new decision" : `${fresh} new decisions`;
  }
  fresh = 0;
}

function open() {
  source = new EventSource(body.dataset.live);
  source.addEventListener("open", () => show("open", "Live"));
  source.addEventListener("row", (event) => {
    body.insertAdjacentHTML("afterbegin", event.data);
    body.firstElementChild.classList.add("fresh");
    while (body.rows.length > LIMIT) body.lastElementChild.remove();
    document.querySelector("[data-live-none]")?.remove();
    fresh += 1;
    // A screen reader hears a count now and then, not every row.
    if (!spoken) spoken = setTimeout(announce, 5000);
  });
  source.addEventListener("error", () => {
    show("lost", source.readyState === EventSource.CLOSED ? "The stream ended. Reload the page." : "Reconnecting …");
  });
  toggle.textContent = "Pause";
}

function close() {
  source.close();
  source = null;
  show("paused", "Paused");
  toggle.textContent = "Continue";
}

if (body && state) {
  state.hidden = false;
  toggle.addEventListener("click", () => (source ? close() : open()));
  open();
}
