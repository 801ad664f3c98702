"use strict";

// Security keys know a registry by its name, not by an address of numbers.
if (["127.0.0.1", "[::1]"].includes(location.hostname)) {
  location.hostname = "localhost";
}

const button = document.getElementById("use-key");
const status = document.getElementById("key-status");

async function post(path, body) {
  const response = await fetch(location.pathname + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) {
    throw new Error(answer.message ?? answer.error);
  }
  return answer;
}

button.addEventListener("click", async () => {
  button.disabled = true;
  status.textContent = "Touch your security key.";
  try {
    const { publicKey } = await post("/options", {});
    const options = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
    const credential = await navigator.credentials.get({ publicKey: options });
    await post("/assertion", credential.toJSON());
    document.getElementById("factor").remove();
    status.textContent = "That is confirmed. You can close this page and go back to your terminal.";
  } catch (error) {
    status.textContent = `That did not work: ${error.message}`;
    button.disabled = false;
    button.focus();
  }
});
