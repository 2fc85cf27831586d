// An invitation's code comes behind the "#": it is put into the form, taken out of the address, and sent.

const form = document.getElementById("invitation");
const field = document.getElementById("code");
const code = decodeURIComponent(location.hash.slice(1));
if (code && form instanceof HTMLFormElement && field instanceof HTMLInputElement) {
  history.replaceState(null, "", location.pathname);
  field.value = code;
  form.requestSubmit();
}
