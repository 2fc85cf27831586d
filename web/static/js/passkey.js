// Passkeys (WebAuthn Level 3): the page holds the options as JSON; what the device gives goes into the form.

/** @typedef {{id: string, type: "public-key", transports?: string[]}} Known */

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
function bytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (sign) => sign.charCodeAt(0));
}

/** @param {ArrayBuffer} buffer */
function base64url(buffer) {
  const plain = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @param {Known[]} list */
const known = (list) => list.map((one) => ({ ...one, id: bytes(one.id) }));

/** @param {any} options what the server wrote; see accounts/passkeys.py */
async function make(options) {
  const credential = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: known(options.excludeCredentials ?? []),
    },
  });
  return credential instanceof PublicKeyCredential ? written(credential) : null;
}

/** @param {any} options what the server wrote */
async function sign(options) {
  const credential = await navigator.credentials.get({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      allowCredentials: known(options.allowCredentials ?? []),
    },
  });
  return credential instanceof PublicKeyCredential ? written(credential) : null;
}

/** Write a credential as the server reads it (RegistrationResponseJSON, AuthenticationResponseJSON).
 * @param {PublicKeyCredential} credential */
function written(credential) {
  const { response } = credential;
  /** @type {Record<string, string | null>} */
  const parts = { clientDataJSON: base64url(response.clientDataJSON) };
  if (response instanceof AuthenticatorAttestationResponse) {
    parts.attestationObject = base64url(response.attestationObject);
  } else if (response instanceof AuthenticatorAssertionResponse) {
    parts.authenticatorData = base64url(response.authenticatorData);
    parts.signature = base64url(response.signature);
    parts.userHandle = response.userHandle ? base64url(response.userHandle) : null;
  }
  const id = credential.id;
  return JSON.stringify({ id, rawId: id, type: credential.type, response: parts, clientExtensionResults: {} });
}

/** @param {HTMLButtonElement} button @param {any} options */
async function press(button, options) {
  const form = button.form;
  const field = form?.elements.namedItem("credential");
  const wrong = form?.querySelector("[data-passkey-wrong]");
  if (!form || !(field instanceof HTMLInputElement) || !(wrong instanceof HTMLElement)) return;
  wrong.hidden = true;
  button.disabled = true;
  try {
    const given = await (button.dataset.passkey === "make" ? make(options) : sign(options));
    if (given) {
      field.value = given;
      form.requestSubmit();
      return;
    }
    wrong.hidden = false;
  } catch {
    // Cancelled, timed out, or there already: all that helps is to try again or to use a code.
    wrong.hidden = false;
  }
  button.disabled = false;
}

const holder = document.getElementById("passkey-options");
if (holder && "PublicKeyCredential" in window) {
  const options = JSON.parse(holder.textContent ?? "");
  for (const button of document.querySelectorAll("[data-passkey]")) {
    if (!(button instanceof HTMLButtonElement)) continue;
    button.hidden = false;
    button.addEventListener("click", () => void press(button, options));
  }
}
