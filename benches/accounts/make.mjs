// Makes accounts on a registry that signs users up, as their owners did long ago, and writes the accounts file and the
// target file that name them: node make.mjs BASE FOLDER
import { createHmac } from "node:crypto";
import { chmodSync, writeFileSync } from "node:fs";

const [base, folder] = process.argv.slice(2);

// Most of them for what takes most codes: writes in mode auth-and-writes.
const ACCOUNTS = [
  ["friend", "disabled", "companion"],
  ["plain", "disabled", "expendable"],
  ["careful-1", "auth-only", "lasting"],
  ["careful-2", "auth-only", "lasting"],
  ["careful-spare", "auth-only", "expendable"],
  ["writer-1", "auth-and-writes", "lasting"],
  ["writer-2", "auth-and-writes", "lasting"],
  ["writer-3", "auth-and-writes", "lasting"],
  ["writer-4", "auth-and-writes", "lasting"],
  ["writer-5", "auth-and-writes", "lasting"],
  ["writer-spare-1", "auth-and-writes", "expendable"],
  ["writer-spare-2", "auth-and-writes", "expendable"],
];

/** A one-time password of the present step (RFC 6238), of a secret in base32. */
function code(secret) {
  const bits = [...secret].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac("sha1", key).update(step).digest();
  const at = digest[19] & 15;
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

async function ask(method, path, token, body) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(new URL(path, base), { method, headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

let file = "";
for (const [role_name, mode, role] of ACCOUNTS) {
  const name = `${role_name}-${Date.now().toString(36)}`;
  const password = `long-ago-${name}`;
  const user = { name, password, email: `${name}@example.test`, type: "user", roles: [] };
  const { token } = await ask("PUT", `/-/user/org.couchdb.user:${name}`, null, user);
  let totp = "";
  if (mode !== "disabled") {
    const { tfa } = await ask("POST", "/-/npm/v1/user", token, { tfa: { password, mode } });
    const secret = new URL(tfa).searchParams.get("secret");
    await ask("POST", "/-/npm/v1/user", token, { tfa: [code(secret)] });
    totp = `, totp: ${secret}`;
  }
  file += `- { name: ${name}, password: ${password}, mode: ${mode}, role: ${role}${totp} }\n`;
}
writeFileSync(`${folder}/accounts.yaml`, file);
chmodSync(`${folder}/accounts.yaml`, 0o600);
writeFileSync(`${folder}/twelve.yaml`, `name: twelve\nstart: running\nbase: ${base}\naccounts: accounts.yaml\nmay-lower-mode: true\n`);
