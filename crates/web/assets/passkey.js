// The WebAuthn ceremonies. WebAuthn itself needs a script; everything else on these pages works without one.
// What the server sends and takes is the standard JSON form of the options and of the credential.

const status = document.querySelector("[data-status]");

function say(text) {
  if (status) status.textContent = text;
}

function bytes(text) {
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

function text(buffer) {
  let binary = "";
  for (const byte of new Uint8Array(buffer)) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

async function post(url, body) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Accept": "application/json" },
    credentials: "same-origin",
    body: JSON.stringify(body),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.detail || answer.title || "That did not work. Please try again.");
  return answer;
}

function describe(list) {
  return (list || []).map((one) => ({ ...one, id: bytes(one.id) }));
}

async function create(options) {
  const publicKey = {
    ...options.publicKey,
    challenge: bytes(options.publicKey.challenge),
    user: { ...options.publicKey.user, id: bytes(options.publicKey.user.id) },
    excludeCredentials: describe(options.publicKey.excludeCredentials),
  };
  const made = await navigator.credentials.create({ publicKey });
  return {
    id: made.id,
    rawId: text(made.rawId),
    type: made.type,
    extensions: made.getClientExtensionResults(),
    response: {
      attestationObject: text(made.response.attestationObject),
      clientDataJSON: text(made.response.clientDataJSON),
      transports: made.response.getTransports ? made.response.getTransports() : [],
    },
  };
}

async function get(options) {
  const publicKey = {
    ...options.publicKey,
    challenge: bytes(options.publicKey.challenge),
    allowCredentials: describe(options.publicKey.allowCredentials),
  };
  const got = await navigator.credentials.get({ publicKey });
  return {
    id: got.id,
    rawId: text(got.rawId),
    type: got.type,
    extensions: got.getClientExtensionResults(),
    response: {
      authenticatorData: text(got.response.authenticatorData),
      clientDataJSON: text(got.response.clientDataJSON),
      signature: text(got.response.signature),
      userHandle: got.response.userHandle ? text(got.response.userHandle) : null,
    },
  };
}

function why(error) {
  if (error && error.name === "NotAllowedError") return "Nothing was confirmed. Try again when you are ready.";
  if (error && error.name === "InvalidStateError") return "This device already holds a passkey for you.";
  return (error && error.message) || "That did not work. Please try again.";
}

// An invitation's secret stands after the '#': a browser never sends that part, so no log and no Referer holds it.
const secret = location.hash.slice(1);
const invited = document.querySelectorAll("[data-invitation]");
if (invited.length && secret) history.replaceState(null, "", location.pathname);
const complete = secret || !invited.length;
const buttons = document.querySelectorAll("form[data-begin] button");

async function run(form) {
  const ceremony = form.dataset.ceremony;
  const extra = form.hasAttribute("data-invitation") ? { secret } : {};
  const fields = Object.fromEntries(new FormData(form));
  const begun = await post(form.dataset.begin, { ...fields, ...extra });
  // Without a ceremony it goes on elsewhere: at an identity provider.
  if (!ceremony) return begun.location;
  say("Follow what your browser asks you to do.");
  const credential = ceremony === "create" ? await create(begun.options) : await get(begun.options);
  const done = await post(form.dataset.finish, { ...fields, ceremony: begun.ceremony, credential });
  return done.location;
}

for (const form of document.querySelectorAll("form[data-begin]")) {
  if (form.dataset.ceremony && !window.PublicKeyCredential) {
    form.hidden = true;
    say("This browser has no passkeys. Use a current browser, or another device.");
    continue;
  }
  form.querySelector("button").disabled = !complete;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    for (const button of buttons) button.disabled = true;
    try {
      const location = await run(form);
      say("Done.");
      window.location.assign(location);
    } catch (error) {
      say(why(error));
      for (const button of buttons) button.disabled = false;
    }
  });
}
if (!complete) say("This link is not complete. Open it exactly as you received it.");
