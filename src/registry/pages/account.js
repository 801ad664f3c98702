"use strict";

// Security keys know a registry by its name, not by an address of numbers.
if (["127.0.0.1", "[::1]"].includes(location.hostname)) {
  location.hostname = "localhost";
}

const at = (id) => document.getElementById(id);
// The session and the password live as long as the page; changes of keys want both.
const session = { token: null, password: null };

function say(text) {
  at("status").textContent = text;
}

async function request(method, path, body, headers = {}) {
  const response = await fetch(path, {
    method,
    headers: {
      "content-type": "application/json",
      ...(session.token === null ? {} : { authorization: `Bearer ${session.token}` }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  const isJson = (response.headers.get("content-type") ?? "").startsWith("application/json");
  return { response, answer: isJson && text !== "" ? JSON.parse(text) : {} };
}

function orThrow({ response, answer }) {
  if (!response.ok) {
    throw new Error(answer.message ?? answer.error ?? `the registry answered ${response.status}`);
  }
  return answer;
}

// Sends a request as npm does: if it is challenged, asks the person and sends it again.
async function send(method, path, body) {
  let { response, answer } = await request(method, path, body, { "npm-auth-type": "web" });
  const challenged = (response) =>
    response.status === 401 && (response.headers.get("www-authenticate") ?? "").toLowerCase() === "otp";
  while (challenged(response)) {
    const proof = await prove(answer);
    ({ response, answer } = await request(method, path, body, { "npm-auth-type": "web", "npm-otp": proof }));
  }
  return orThrow({ response, answer });
}

// Asks the person for a factor, and gives what goes into `npm-otp`.
function prove({ authUrl, doneUrl }) {
  const page = authUrl === undefined ? null : new URL(authUrl).pathname;
  const collect = async () => (await orThrow(await request("GET", new URL(doneUrl).pathname))).token;
  at("use-key").hidden = page === null;
  at("confirm").hidden = false;
  at("otp").value = "";
  at("confirm-title").focus();
  return new Promise((resolve, reject) => {
    const finish = (settle, value) => {
      at("confirm").hidden = true;
      settle(value);
    };
    at("use-key").onclick = async () => {
      try {
        say("Touch your security key.");
        const { publicKey } = orThrow(await request("POST", `${page}/options`, {}));
        const options = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
        const credential = await navigator.credentials.get({ publicKey: options });
        orThrow(await request("POST", `${page}/assertion`, credential.toJSON()));
        finish(resolve, await collect());
      } catch (error) {
        say(`That did not work: ${error.message}`);
      }
    };
    at("code-form").onsubmit = async (event) => {
      event.preventDefault();
      const code = at("otp").value.replaceAll(" ", "");
      if (page === null) {
        finish(resolve, code);
        return;
      }
      const sent = await fetch(page, { method: "POST", body: new URLSearchParams({ otp: code }) });
      if (sent.ok) {
        finish(resolve, await collect());
      } else {
        say("The code was not accepted.");
      }
    };
    at("cancel").onclick = () => finish(reject, new Error("canceled"));
  });
}

async function show() {
  const profile = orThrow(await request("GET", "/-/npm/v1/user"));
  const { objects } = orThrow(await request("GET", "/-/account/keys"));
  const isOn = profile.tfa !== null && !profile.tfa.pending;
  at("mode").textContent = isOn ? `Enabled, in mode ${profile.tfa.mode}.` : "Not enabled. The first key enables it.";
  at("first-mode").hidden = isOn;
  at("keys").replaceChildren(...objects.map(row));
  at("log-in").hidden = true;
  at("account").hidden = false;
}

function row(key) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = `Remove ${key.name}`;
  button.onclick = () =>
    attempt(async () => {
      await send("DELETE", `/-/account/keys/${key.id}`, { password: session.password });
      await show();
      say(`The key ${key.name} is removed.`);
      at("account-title").focus();
    });
  item.append(`${key.name}, registered ${key.created.slice(0, 10)} `, button);
  return item;
}

async function attempt(deed) {
  say("");
  try {
    await deed();
  } catch (error) {
    say(`That did not work: ${error.message}`);
  }
}

at("log-in").onsubmit = (event) => {
  event.preventDefault();
  attempt(async () => {
    const name = at("username").value.trim();
    session.password = at("password").value;
    const path = `/-/user/org.couchdb.user:${encodeURIComponent(name)}`;
    // Without this, an unknown name would sign up.
    orThrow(await request("GET", path));
    const { token } = await send("PUT", path, { name, password: session.password });
    session.token = token;
    await show();
    say(`You are logged in as ${name}.`);
    at("account-title").focus();
  });
};

at("register").onsubmit = (event) => {
  event.preventDefault();
  attempt(async () => {
    const mode = document.querySelector("input[name=mode]:checked").value;
    const begun = await send("POST", "/-/account/keys/options", { password: session.password, mode });
    say("Touch your security key.");
    const options = PublicKeyCredential.parseCreationOptionsFromJSON(begun.publicKey);
    const credential = await navigator.credentials.create({ publicKey: options });
    const body = { ceremony: begun.ceremony, name: at("key-name").value, credential: credential.toJSON() };
    const { name, recoveryCodes } = await send("POST", "/-/account/keys", body);
    at("register").reset();
    await show();
    say(`The key ${name} is registered.`);
    if (recoveryCodes !== undefined) {
      at("codes").replaceChildren(
        ...recoveryCodes.map((code) => {
          const [item, text] = ["li", "code"].map((name) => document.createElement(name));
          text.textContent = code;
          item.append(text);
          return item;
        }),
      );
      at("recovery").hidden = false;
      at("recovery-title").focus();
    }
  });
};
