// An invitation's code comes behind the "#": it is put into the form, taken out of the address, and sent.
// The tab keeps it for a change of language, which asks for the page anew.

const KEPT = "teduh-invitation";
const form = document.getElementById("invitation");
const field = document.getElementById("code");
if (document.getElementById("wrong")) sessionStorage.removeItem(KEPT);
const code = decodeURIComponent(location.hash.slice(1)) || sessionStorage.getItem(KEPT);
if (code && form instanceof HTMLFormElement && field instanceof HTMLInputElement) {
  sessionStorage.setItem(KEPT, code);
  history.replaceState(null, "", location.pathname);
  field.value = code;
  form.requestSubmit();
}
