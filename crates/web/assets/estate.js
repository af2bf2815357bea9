// Files dropped on the form, and how far an import is. Without this script the form is sent by the browser as it stands; a trial
// always is. Words are set as text, never as markup.

const form = document.querySelector("[data-import]");
const drop = document.querySelector("[data-drop]");
const input = form?.querySelector("input[type=file]");
const progress = document.querySelector("[data-progress]");
const words = document.querySelector("[data-words]");
const bar = document.querySelector("[data-bar]");
const EVERY = 1000;

function show(text, percent) {
  progress.hidden = false;
  words.textContent = text;
  if (percent === undefined) bar.removeAttribute("value");
  else bar.value = percent;
}

function busy(is) {
  for (const button of form.querySelectorAll("button")) button.disabled = is;
}

function failed(text) {
  busy(false);
  show(text, 0);
}

// What the server says it is doing; once it is done, where the import is to be read.
async function follow(until) {
  while (!until.over) {
    const answer = await fetch(form.dataset.state).catch(() => null);
    const state = answer?.ok ? await answer.json() : null;
    if (until.over) return;
    if (state?.importing) {
      const { phase, file, done } = state.importing;
      show(`${phase} ${file}, ${done} so far`.replace(" ,", ","));
    } else if (until.accepted && state) {
      until.over = true;
      if (state.last_import?.import) arrive(state.last_import.import.number);
      else failed(state.last_import?.fault ?? "The import did not end well.");
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}

function arrive(number) {
  location.assign(`${form.dataset.done}${number}?done=estate-imported`);
}

function send() {
  const body = new FormData();
  for (const file of input.files) body.append("file", file);
  const query = new URLSearchParams();
  const at = form.elements.at.value;
  if (at) query.set("at", `${at}:00Z`);
  if (form.elements.own.checked) query.set("own", "true");
  const request = new XMLHttpRequest();
  const until = { over: false, accepted: false };
  request.open("POST", `${form.dataset.import}?${query}`);
  request.responseType = "json";
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) {
      const percent = Math.floor((100 * event.loaded) / event.total);
      show(`Uploading: ${percent} %`, percent);
    }
  });
  request.upload.addEventListener("load", () => {
    show("Reading …");
    follow(until);
  });
  request.addEventListener("load", () => {
    if (request.status === 202) {
      until.accepted = true;
      return;
    }
    until.over = true;
    if (request.status === 200) arrive(request.response.number);
    else failed(request.response?.detail ?? "That did not work. Reload the page and try again.");
  });
  request.addEventListener("error", () => {
    until.over = true;
    failed("The connection broke off. The estate is as it was.");
  });
  busy(true);
  show("Uploading …", 0);
  request.send(body);
}

if (form && input) {
  form.addEventListener("submit", (event) => {
    const nothing = input.files.length === 0 && !form.elements.own.checked;
    if (event.submitter?.name === "dry_run" || nothing) return;
    event.preventDefault();
    send();
  });
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) {
    drop.addEventListener(name, () => drop.classList.remove("over"));
  }
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    input.files = event.dataTransfer.files;
    show(`${input.files.length} to import`, 0);
    form.querySelector("button.first").focus();
  });
}
